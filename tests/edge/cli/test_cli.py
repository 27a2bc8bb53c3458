"""What the command says and returns, above all when it is given nonsense."""

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from edge.audio import SAMPLE_RATE
from edge.sources.conversion import read_audio
from tests.conftest import DEMO, ROOT, affectd


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """The first line of the demonstration recording."""
    path = tmp_path / "clip.wav"
    soundfile.write(path, read_audio(DEMO)[: 5 * SAMPLE_RATE], SAMPLE_RATE)
    return path


def one_sentence(text: str) -> str:
    lines = text.strip().splitlines()
    assert len(lines) == 1, text
    assert lines[0].startswith("affectd: ")
    return lines[0]


def test_analyse_prints_one_json_object_per_utterance() -> None:
    done = affectd("analyse", DEMO)
    assert done.returncode == 0, done.stderr
    findings = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(findings) == 7
    for before, after in pairwise(findings):
        assert before["end_s"] <= after["start_s"]
    for finding in findings:
        assert set(finding) == {
                "file", "start_s", "end_s", "emotion", "confidence", "intensity", "probabilities", "explanation",
                "sentence",
            }  # fmt: skip
        why = finding["explanation"]
        assert sum(why["families"].values()) == pytest.approx(why["value"] - why["base_value"], abs=1e-3)


def test_a_track_is_written_as_its_ending_says(tmp_path: Path) -> None:
    for ending, begin in (
        (".vtt", b"WEBVTT"),
        (".rttm", b"SPEAKER demo 1 "),
        (".csv", b"file,start_s"),
        (".png", b"\x89PNG"),
    ):
        target = tmp_path / f"track{ending}"
        done = affectd("analyse", "--track", DEMO, "--output", target)
        assert done.returncode == 0, done.stderr
        assert target.read_bytes().startswith(begin)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--track", "--output", "track.doc"), "no ending that says what to write"),
        (("--track", "--format", "png"), "say with --output"),
        (("--track", "--whole"), "--track goes with no --whole"),
        (("--format", "csv"), "belong to --track"),
    ],
)
def test_a_track_that_cannot_be_written_is_bad_usage(arguments: tuple[str, ...], why: str) -> None:
    done = affectd("analyse", DEMO, *arguments)
    assert done.returncode == 2
    assert why in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_whole_takes_the_file_as_it_is(clip: Path) -> None:
    (finding,) = map(json.loads, affectd("analyse", "--whole", clip).stdout.splitlines())
    assert (finding["start_s"], finding["end_s"]) == (0, 5)


def test_a_broken_file_does_not_stop_the_others(clip: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"%PDF-1.7 not audio")
    done = affectd("analyse", clip, broken, clip)
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 2
    assert str(broken) in one_sentence(done.stderr)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.wav", b""),
        ("text.wav", b"hello"),
        ("page.mp3", b"<html>" * 100),
    ],
)
def test_what_is_no_audio_gets_one_sentence(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    done = affectd("analyse", path)
    assert (done.returncode, done.stdout) == (1, "")
    assert str(path) in one_sentence(done.stderr)


@pytest.mark.parametrize("samples", [np.zeros(0), np.full(16000, np.nan), np.full(16000, np.inf)])
def test_samples_that_are_none_get_one_sentence(tmp_path: Path, samples: np.ndarray) -> None:
    path = tmp_path / "clip.wav"
    soundfile.write(path, samples, SAMPLE_RATE, subtype="FLOAT")
    done = affectd("analyse", path)
    assert (done.returncode, done.stdout) == (1, "")
    assert str(path) in one_sentence(done.stderr)


def test_many_channels_at_a_high_rate_are_the_same_sound(clip: Path, tmp_path: Path) -> None:
    samples = soundfile.read(clip)[0]
    surround = tmp_path / "surround.wav"
    soundfile.write(surround, np.repeat(np.repeat(samples, 6)[:, None], 8, axis=1), 96_000)
    narrow, wide = (json.loads(affectd("analyse", "--whole", path).stdout) for path in (clip, surround))
    assert wide["end_s"] == narrow["end_s"]
    assert wide["emotion"] == narrow["emotion"]


@pytest.mark.parametrize(
    ("samples", "why"),
    [
        (np.zeros(48_000), "every sample of 3.0 s is zero"),
        (np.random.default_rng(0).normal(0, 0.0003, 48_000), "too quiet"),
        (np.random.default_rng(0).normal(0, 0.05, 48_000), "no speech in 3.0 s"),
    ],
)
def test_a_file_in_which_nothing_is_found_says_why(tmp_path: Path, samples: np.ndarray, why: str) -> None:
    path = tmp_path / "clip.wav"
    soundfile.write(path, samples, SAMPLE_RATE)
    done = affectd("analyse", path)
    assert (done.returncode, done.stdout) == (0, "")
    assert f"{path}: nothing was found: " in one_sentence(done.stderr)
    assert why in done.stderr


def test_inverted_channels_are_heard_as_one(clip: Path, tmp_path: Path) -> None:
    samples = soundfile.read(clip)[0]
    inverted = tmp_path / "inverted.wav"
    soundfile.write(inverted, np.stack([samples, -samples], axis=1), SAMPLE_RATE)
    mono, stereo = (json.loads(affectd("analyse", "--whole", path).stdout) for path in (clip, inverted))
    assert stereo["probabilities"] == pytest.approx(mono["probabilities"], abs=1e-6)


def test_missing_file_gets_one_sentence(tmp_path: Path) -> None:
    done = affectd("analyse", tmp_path / "nowhere.wav")
    assert done.returncode == 1
    assert "nowhere.wav" in one_sentence(done.stderr)


def test_five_errors_in_a_configuration_are_five_sentences(tmp_path: Path) -> None:
    path = tmp_path / "affectd.yaml"
    path.write_text("node: Kitchen\nsource: {kind: radio, rate: 1}\nmqtt: {prot: 1}\ngate: {hangover_s: soon}\n")
    done = affectd("check-config", path)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 5
    assert "did you mean `port`" in done.stderr


def test_flipped_byte_in_a_bundle_is_refused(tmp_path: Path) -> None:
    from edge.model.bundle import DEFAULT

    for file in DEFAULT.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    assert affectd("bundle", "verify", tmp_path).returncode == 0
    content = bytearray((tmp_path / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "model.onnx").write_bytes(content)
    done = affectd("bundle", "verify", tmp_path)
    assert done.returncode == 1
    assert "model.onnx" in one_sentence(done.stderr)


def test_bad_usage_is_exit_code_two() -> None:
    assert affectd("analyse").returncode == 2
    assert affectd("dance").returncode == 2


def test_help_names_every_command() -> None:
    text = affectd("--help").stdout
    for command in ("run", "analyse", "check-config", "devices", "watch", "demo", "bundle"):
        assert command in text


@pytest.mark.parametrize(
    "how",
    [
        "try:\n        raise KeyboardInterrupt\n    except BaseException as key:\n        raise ImportError from key",
        "try:\n        raise KeyboardInterrupt\n    except Missing:\n        pass",
        "raise KeyboardInterrupt",
    ],
    ids=["cause", "context", "itself"],
)
def test_interruption_is_one_whatever_an_import_makes_of_it(tmp_path: Path, how: str) -> None:
    code = (
        "import sys, types\nfrom edge.cli import main\n\n"
        f"def run(options):\n    {how}\n\n"
        "command = types.ModuleType('edge.cli.devices')\ncommand.run = run\n"
        "sys.modules['edge.cli.devices'] = command\nsys.exit(main(['devices']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_an_interrupt_never_strikes_in_the_middle_of_a_native_library() -> None:
    """Its exception could be swallowed there, and what is half made crash later."""
    program = """
import builtins, signal, sys
import edge.__main__
signal.signal(signal.SIGINT, signal.default_int_handler)  # also where this suite runs in the background of a shell
seen, load = [], builtins.__import__
def spy(name, *more, **named):
    if name == "msgspec" and name not in sys.modules:
        seen.append(signal.getsignal(signal.SIGINT))
    return load(name, *more, **named)
builtins.__import__ = spy
sys.argv = ["affectd", "check-config", "/nonexistent"]
edge.__main__.main()
assert seen and set(seen) == {signal.SIG_DFL}, seen
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True)
