"""The command in a terminal: what it loads, what it takes, what it lets through."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from paho.mqtt.publish import single

from tests.conftest import ROOT, affectd, free_port
from tests.terminal import one_sentence, started


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_asking_for_help_loads_no_detector(option: str) -> None:
    program = (
        "import sys\nfrom edge.cli import main\n"
        f"try: main([{option!r}])\nexcept SystemExit: pass\n"
        "loaded = {'numpy', 'onnxruntime', 'webrtcvad', 'paho', 'sqlite3'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, timeout=60)


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
