"""``affectd explain`` and ``affectd analyse --explain``, as a person calls them."""

import json
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile

from edge import cli
from edge.explain import texts
from edge.explain.explainer import Explanation
from edge.model.bundle import Bundle
from edge.sources.conversion import read_audio
from edge.sources.highpass import high_passed
from tests.maps import with_map
from tests.places import DEMO

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def clip(voice, tmp_path) -> str:
    soundfile.write(tmp_path / "clip.wav", voice, 16_000)
    return str(tmp_path / "clip.wav")


@pytest.fixture(params=["frames", "pooled", "prosody"])
def bundle(request, bundles) -> str:
    return str(bundles[request.param].path)


def test_picture_is_drawn(clip, bundle, tmp_path, capsys):
    assert cli.main(["explain", clip, "--png", str(tmp_path / "why.png"), "--bundle", bundle]) == 0
    assert (tmp_path / "why.png").read_bytes().startswith(PNG)
    assert "why.png" in capsys.readouterr().out


def test_what_people_hear_is_said_without_a_picture(clip, capsys):
    assert cli.main(["explain", clip]) == 0
    said = capsys.readouterr().out
    assert "log-odds of" in said
    for aspect in texts.ASPECT_NAMES.values():
        assert f"  {aspect} " in said


def test_a_bundle_that_measures_no_aspects_says_so(clip, bundles, capsys):
    assert cli.main(["explain", clip, "--bundle", str(bundles["frames"].path)]) == 0
    assert "does not hear both log-mel and prosody" in capsys.readouterr().out


def test_part_of_a_file_is_explained(clip, bundle, tmp_path):
    command = ["explain", clip, "--png", str(tmp_path / "why.png"), "--bundle", bundle]
    assert cli.main([*command, "--start", "0.5", "--end", "1.5"]) == 0
    assert (tmp_path / "why.png").exists()


@pytest.mark.parametrize("stretch", [["--start", "9"], ["--start", "1", "--end", "0.5"], ["--start", "nan"]])
def test_part_that_the_file_does_not_have(stretch, clip, bundle, tmp_path, capsys):
    assert cli.main(["explain", clip, "--png", str(tmp_path / "why.png"), "--bundle", bundle, *stretch]) == 2
    assert "lasts 2.00 s" in capsys.readouterr().err


def test_picture_without_matplotlib_says_how_to_get_it(clip, bundle, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert cli.main(["explain", clip, "--png", str(tmp_path / "why.png"), "--bundle", bundle]) == 1
    assert "pip install 'affectd[picture]'" in capsys.readouterr().err


def test_picture_where_nothing_can_be_written(clip, bundle, tmp_path, capsys):
    assert cli.main(["explain", clip, "--png", str(tmp_path / "no" / "why.png"), "--bundle", bundle]) == 1
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("samples", "word"), [(np.zeros(16_000), "silence"), (np.full(300, 0.1), "shorter"), (np.full(6000, 0.1), "400 ms")]
)
def test_what_cannot_be_explained_gets_a_sentence(samples, word, bundle, tmp_path, capsys):
    soundfile.write(tmp_path / "clip.wav", samples, 16_000)
    command = ["explain", str(tmp_path / "clip.wav"), "--png", str(tmp_path / "why.png"), "--bundle", bundle]
    assert cli.main(command) == 1
    error = capsys.readouterr().err
    assert word in error
    assert error.count("\n") == 1
    assert not (tmp_path / "why.png").exists()


@pytest.mark.parametrize("command", [["explain", "--png", "why.png"], ["analyse", "--whole"]])
def test_unknown_label_lists_the_labels(command, clip, bundle, capsys):
    assert cli.main([*command, clip, "--against", "boredom", "--bundle", bundle]) == 2
    assert "anger, disgust, fear" in capsys.readouterr().err


def test_analyse_prints_every_part(clip, bundle, capsys):
    assert cli.main(["analyse", "--whole", "--explain", "all", "--bundle", bundle, clip]) == 0
    explanation = json.loads(capsys.readouterr().out)["explanation"]
    parsed = msgspec.convert(explanation, Explanation)
    assert tuple(parsed.families) == Bundle.load(Path(bundle)).features.families
    assert len(parsed.features) == 9
    assert len(parsed.time) > 5


@pytest.mark.parametrize(("part", "empty"), [("features", "time"), ("time", "features")])
def test_analyse_prints_only_the_part_asked_for(part, empty, clip, bundle, capsys):
    assert cli.main(["analyse", "--whole", "--explain", part, "--bundle", bundle, clip]) == 0
    explanation = json.loads(capsys.readouterr().out)["explanation"]
    assert explanation[part]
    assert not explanation[empty]
    assert not explanation["families"]


def test_analyse_prints_the_aspects_beside_the_families(clip, capsys):
    assert cli.main(["analyse", "--whole", "--explain", "aspects", clip]) == 0
    finding = json.loads(capsys.readouterr().out)
    explanation = msgspec.convert(finding["explanation"], Explanation)
    assert explanation.families
    assert not explanation.time
    assert {*explanation.aspects.effects, *explanation.aspects.absent} == set(texts.ASPECTS)


def test_analyse_of_silence_says_why_there_is_no_explanation(bundle, tmp_path, capsys):
    soundfile.write(tmp_path / "silence.wav", np.zeros(16_000), 16_000)
    assert cli.main(["analyse", "--whole", "--bundle", bundle, str(tmp_path / "silence.wav")]) == 0
    finding = json.loads(capsys.readouterr().out)
    assert finding["explanation"] is None
    assert "silence" in finding["unexplained"]


@pytest.fixture(scope="module")
def mapped(tmp_path_factory) -> str:
    return str(with_map(tmp_path_factory.mktemp("map") / "bundle").path)


ANGRY = [str(DEMO), "--start", "27.2", "--end", "31.2"]


def test_what_the_verdict_rests_on_is_written_and_so_is_the_rest(mapped, tmp_path, capsys):
    out = tmp_path / "out.wav"
    assert cli.main(["explain", *ANGRY, "--listen", str(out), "--bundle", mapped]) == 0
    said = capsys.readouterr().out
    assert f"{out} is what anger rests on; alone it sounds like anger" in said
    assert f"{tmp_path / 'out-rest.wav'} is the rest, which sounds like " in said
    assert "Sounds angry" in said
    kept, rest = (soundfile.read(path, dtype="int16") for path in (out, tmp_path / "out-rest.wav"))
    assert kept[1] == rest[1] == 16_000
    heard = high_passed(read_audio(DEMO))[round(27.2 * 16_000) : round(31.2 * 16_000)]
    assert np.array_equal(kept[0] + rest[0], heard)
    assert not list(tmp_path.glob(".*"))


def test_picture_and_sound_come_together(mapped, tmp_path):
    command = ["explain", *ANGRY, "--listen", str(tmp_path / "out.wav"), "--png", str(tmp_path / "why.png")]
    assert cli.main([*command, "--bundle", mapped]) == 0
    assert {path.name for path in tmp_path.iterdir()} >= {"out.wav", "out-rest.wav", "why.png"}


@pytest.mark.parametrize("name", ["clip.wav", "sub/../clip.wav"])
def test_a_sound_is_not_written_over_the_one_that_is_explained(name, clip, mapped, tmp_path, capsys):
    (tmp_path / "sub").mkdir()
    before = Path(clip).read_bytes()
    assert cli.main(["explain", clip, "--listen", str(tmp_path / name), "--bundle", mapped]) == 2
    assert "is the file to explain" in capsys.readouterr().err
    assert Path(clip).read_bytes() == before


def test_sound_where_nothing_can_be_written(mapped, tmp_path, capsys):
    assert cli.main(["explain", *ANGRY, "--listen", str(tmp_path / "no" / "out.wav"), "--bundle", mapped]) == 1
    error = capsys.readouterr().err
    assert "cannot be written" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("samples", [np.zeros(32_000), 0.1 * np.sin(np.arange(48_000) * 0.2)])
def test_what_cannot_be_listened_to_gets_a_sentence_and_writes_nothing(samples, mapped, tmp_path, capsys):
    soundfile.write(tmp_path / "clip.wav", samples, 16_000)
    command = ["explain", str(tmp_path / "clip.wav"), "--listen", str(tmp_path / "out.wav")]
    assert cli.main([*command, "--png", str(tmp_path / "why.png"), "--bundle", mapped]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"clip.wav"}


def test_a_bundle_without_a_map_writes_no_sound(tmp_path, capsys):
    assert cli.main(["explain", *ANGRY, "--listen", str(tmp_path / "out.wav"), "--bundle", "light"]) == 1
    assert "has no map" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.wav"))
