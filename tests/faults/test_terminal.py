"""F35, F36: a terminal that closes, is ASCII, has no room; a user without a home, or whose state nobody may write."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec
import pytest
from paho.mqtt.publish import single

from tests.conftest import DEMO, ROOT, free_port
from tests.edge.events import event
from tests.faults.parts import Broker
from tests.terminal import one_sentence, started

EMPTY = "# nothing\n"
READS = "--inh-caps +dac_read_search --ambient-caps +dac_read_search"  # this checkout may lie where only root may look
NOBODY = f"setpriv --reuid 12345 --regid 12345 --clear-groups {READS} $affectd"


def shell(script: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script of the shell; ``$affectd`` is the command."""
    command = ["sh", "-c", script, "sh", *map(str, arguments)]
    variables = {**os.environ, "affectd": f"{sys.executable} -m edge", **environment}
    return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=120, check=False)


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


@pytest.mark.parametrize("command", ["--help", "--version", "analyse --help", "bundle install --help"])
@pytest.mark.parametrize("buffered", ["", "1"], ids=["buffered", "unbuffered"])
def test_f35_help_that_cannot_be_written_is_one_sentence(command: str, buffered: str) -> None:
    done = shell(f"$affectd {command} >/dev/full", PYTHONUNBUFFERED=buffered)
    assert done.returncode == 1
    assert "No space left" in one_sentence(done.stderr)


def test_f35_a_reader_that_leaves_is_no_error_to_speak_of(clip: Path) -> None:
    done = shell('$affectd analyse --explain none "$1" "$1" "$1" | true', clip)
    assert (done.returncode, done.stderr) == (0, "")


def test_f35_watch_ends_with_its_reader_though_nothing_more_is_said(broker: Broker) -> None:
    single("affectd/kitchen/status", b"online", qos=1, retain=True, hostname="127.0.0.1", port=broker.port)
    with started("watch", "--host", "127.0.0.1", "--port", broker.port) as process:
        assert process.stdout is not None
        assert b"online" in process.stdout.readline()
        process.stdout.close()
        assert process.wait(30) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_f35_an_ascii_terminal_gets_stand_ins(broker: Broker) -> None:
    payload = msgspec.json.encode(event(1))
    with started("watch", "--host", "127.0.0.1", "--port", broker.port, PYTHONIOENCODING="ascii") as process:
        assert process.stdout is not None
        single("affectd/kitchen/status", b"online", qos=1, retain=True, hostname="127.0.0.1", port=broker.port)
        process.stdout.readline()  # it is subscribed
        single("affectd/kitchen/event", payload, qos=1, hostname="127.0.0.1", port=broker.port)
        head = process.stdout.readline().decode("ascii")
    assert "anger" in head
    assert "####" in head


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


def test_f35_standard_input_that_is_closed_is_one_sentence(tmp_path: Path) -> None:
    done = shell("$affectd analyse - <&-")
    assert done.returncode == 1
    assert "standard input is closed" in one_sentence(done.stderr)
    config = tmp_path / "affectd.yaml"
    config.write_text(f"node: test\nsource: {{kind: stdin}}\nmqtt: {{host: 127.0.0.1, port: {free_port()}}}\n")
    done = shell('$affectd run --config "$1" <&-', config)
    assert done.returncode == 1
    assert "affectd: standard input is closed" in done.stderr
