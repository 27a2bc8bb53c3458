"""A terminal that closes, is ASCII, has no room; a user without a home: a sentence or none, an exit code, no hang."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import soundfile
from paho.mqtt.publish import single

from edge.audio import SAMPLE_RATE
from edge.sources.conversion import read_audio
from tests.conftest import DEMO, ROOT, affectd, free_port
from tests.edge.events import event

EMPTY = "# nothing\n"
NOBODY = "setpriv --reuid 12345 --regid 12345 --clear-groups $affectd"


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.wav"
    soundfile.write(path, read_audio(DEMO)[: 5 * SAMPLE_RATE], SAMPLE_RATE)
    return path


@contextlib.contextmanager
def started(*arguments: object, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "edge", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}, **pipes)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()


def shell(script: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script of the shell; ``$affectd`` is the command."""
    command = ["sh", "-c", script, "sh", *map(str, arguments)]
    variables = {**os.environ, "affectd": f"{sys.executable} -m edge", **environment}
    return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=120, check=False)


def one_sentence(text: str) -> str:
    (line,) = text.strip().splitlines()
    assert line.startswith("affectd: ")
    return line


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_asking_for_help_loads_no_detector(option: str) -> None:
    program = (
        "import sys\nfrom edge.cli import main\n"
        f"try: main([{option!r}])\nexcept SystemExit: pass\n"
        "loaded = {'numpy', 'onnxruntime', 'webrtcvad', 'paho', 'sqlite3'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, timeout=60)


@pytest.mark.parametrize("command", ["check-config", "analyse --explain none"])
@pytest.mark.parametrize(("where", "why"), [(">/dev/full", "No space left"), (">&-", "is closed")])
def test_f35_output_that_cannot_be_written_is_one_sentence(
    clip: Path, tmp_path: Path, command: str, where: str, why: str
) -> None:
    (tmp_path / "affectd.yaml").write_text(EMPTY)
    path = clip if command.startswith("analyse") else tmp_path / "affectd.yaml"
    done = shell(f'$affectd {command} "$1" {where}', path)
    assert done.returncode == 1
    assert why in one_sentence(done.stderr)


def test_f35_a_reader_that_leaves_is_no_error_to_speak_of(clip: Path) -> None:
    done = shell('$affectd analyse --explain none "$1" "$1" "$1" | true', clip)
    assert (done.returncode, done.stderr) == (0, "")


def test_f35_watch_ends_with_its_reader_though_nothing_more_is_said(broker: int) -> None:
    single("affectd/kitchen/status", b"online", qos=1, retain=True, hostname="127.0.0.1", port=broker)
    with started("watch", "--host", "127.0.0.1", "--port", broker) as process:
        assert process.stdout is not None
        assert b"online" in process.stdout.readline()
        process.stdout.close()
        assert process.wait(30) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_f35_an_ascii_terminal_gets_stand_ins(broker: int) -> None:
    payload = msgspec.json.encode(event(1))
    with started("watch", "--host", "127.0.0.1", "--port", broker, PYTHONIOENCODING="ascii") as process:
        assert process.stdout is not None
        single("affectd/kitchen/status", b"online", qos=1, retain=True, hostname="127.0.0.1", port=broker)
        process.stdout.readline()  # it is subscribed
        single("affectd/kitchen/event", payload, qos=1, hostname="127.0.0.1", port=broker)
        head = process.stdout.readline().decode("ascii")
    assert "anger" in head
    assert "####" in head


@pytest.mark.parametrize("node", ["#", "a/b", ""])
def test_watch_of_what_is_no_node_is_bad_usage(node: str) -> None:
    done = affectd("watch", "--node", node)
    assert done.returncode == 2
    assert "--node" in one_sentence(done.stderr)


@pytest.mark.parametrize(
    ("option", "value", "says"), [("--host", "mqtt://x:1883", "`host: x`"), ("--port", "99999", "65535")]
)
def test_watch_of_what_is_no_broker_is_bad_usage(option: str, value: str, says: str) -> None:
    done = affectd("watch", option, value)
    assert done.returncode == 2
    assert says in one_sentence(done.stderr)


def test_watch_without_a_broker_is_one_sentence() -> None:
    done = affectd("watch", "--host", "127.0.0.1", "--port", free_port())
    assert done.returncode == 1
    assert "cannot be reached" in one_sentence(done.stderr)


PAYLOADS = [b"\xff\x00", b"not json", b'{"open": ', b'{"a":\n1}', b"\x1b]0;owned\x07", "ü".encode()]


def test_watch_prints_json_lines_whatever_arrives(broker: int) -> None:
    with started("watch", "--json", "--host", "127.0.0.1", "--port", broker) as process:
        assert process.stdout is not None
        single("affectd/kitchen/status", b"online", qos=1, retain=True, hostname="127.0.0.1", port=broker)
        process.stdout.readline()
        for payload in PAYLOADS:
            single("affectd/kitchen/event", payload, qos=1, hostname="127.0.0.1", port=broker)
        lines = [json.loads(process.stdout.readline()) for _ in PAYLOADS]
    assert [line["payload"] for line in lines] == [
        "\ufffd\0", "not json", '{"open": ', {"a": 1}, "\x1b]0;owned\x07", "ü",
    ]  # fmt: skip


def test_watch_lets_no_control_character_through(broker: int) -> None:
    with started("watch", "--host", "127.0.0.1", "--port", broker) as process:
        assert process.stdout is not None
        for topic, payload in (("status", b"\x1b]0;owned\x07"), ("microphone", b"a\r\nb"), ("event", b"\x1b[2J")):
            single(f"affectd/kitchen/{topic}", payload, qos=1, retain=True, hostname="127.0.0.1", port=broker)
        shown = b"".join(process.stdout.readline() for _ in range(3)).decode()
    assert "owned" in shown
    assert "\\x1b" in shown
    assert not {character for character in shown if not character.isprintable()} - {"\n"}


def test_names_that_are_not_utf_8_are_files_like_others(clip: Path, tmp_path: Path) -> None:
    odd = os.fsencode(tmp_path) + b"/caf\xe9.wav"
    os.link(clip, odd)
    done = subprocess.run(
        [sys.executable, "-m", "edge", "analyse", "--explain", "none", odd, odd + b"x", clip],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    files = [json.loads(line)["file"] for line in done.stdout.splitlines()]
    assert files == [f"{tmp_path}/caf\\xe9.wav", str(clip)]
    assert "no file" in one_sentence(done.stderr)


def test_standard_input_that_is_closed_is_one_sentence(tmp_path: Path) -> None:
    done = shell("$affectd analyse - <&-")
    assert done.returncode == 1
    assert "standard input is closed" in one_sentence(done.stderr)
    config = tmp_path / "affectd.yaml"
    config.write_text(f"node: test\nsource: {{kind: stdin}}\nmqtt: {{host: 127.0.0.1, port: {free_port()}}}\n")
    done = shell('$affectd run --config "$1" <&-', config)
    assert done.returncode == 1
    assert "affectd: standard input is closed" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_f36_a_user_without_a_home_is_told_which_setting_to_use() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        config = folder / "affectd.yaml"
        config.write_text(
            f"node: test\nsource: {{kind: file, path: {DEMO}, paced: false}}\n"
            f"mqtt: {{host: 127.0.0.1, port: {free_port()}}}\n"
        )
        nobody = f"env -u HOME -u STATE_DIRECTORY -u XDG_STATE_HOME {NOBODY}"
        done = shell(f'{nobody} run --config "$1"', config)
        assert done.returncode == 2
        assert "set `state_directory`" in one_sentence(done.stderr)
        done = shell(f'{nobody} doctor --only disk --config "$1"', config)
        assert "set `state_directory`" in done.stdout
        config.write_text(config.read_text() + f"state_directory: {folder}/state\n")
        done = shell(f'{nobody} run --config "$1"', config)
        assert done.returncode == 0, done.stderr
        done = shell(f'{nobody} doctor --only disk --config "$1"', config)
        assert f"{folder}/state/nodes/test" in done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_f36_a_state_folder_that_may_not_be_written_is_said_as_it_is() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        config = folder / "affectd.yaml"
        config.write_text(
            f"node: test\nsource: {{kind: file, path: {DEMO}, paced: false}}\nstate_directory: {folder}/state\n"
            f"mqtt: {{host: 127.0.0.1, port: {free_port()}}}\n"
        )
        nobody = f"env -u STATE_DIRECTORY {NOBODY}"
        done = shell(f'{nobody} run --config "$1"', config)
        assert done.returncode == 0, done.stderr
        assert 'todo="let this user write there, or set state_directory"' in done.stderr
        done = shell(f'{nobody} doctor --only disk --config "$1"', config)
        assert done.returncode == 1
        assert "may not be written by this user" in done.stdout
