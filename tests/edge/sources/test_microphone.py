"""The microphone through PortAudio: on PulseAudio's monitor of a silent room, and on a device that refuses 16 kHz."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import psutil
import pytest

from edge.errors import SourceError
from edge.sources import MicrophoneSource, jack, list_microphones, recorder
from tests.conftest import ROOT

LISTEN = """
from edge.sources import MicrophoneSource, Reopening, list_microphones
print([microphone.name for microphone in list_microphones()], flush=True)
source = Reopening(MicrophoneSource("DEFAULT"), lambda online, reason: print(online, reason, flush=True))
for count, block in enumerate(source.blocks()):
    assert block.shape == (512,) and block.dtype == "int16"
    if count % 10 == 0:
        print("block", flush=True)
"""


def test_microphone_that_vanishes_is_heard_again_once_it_is_back(room):
    listener = subprocess.Popen(
        [*room.isolation, sys.executable, "-c", LISTEN],
        env=room.environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert listener.stdout is not None
    lines = (line.decode().strip() for line in listener.stdout)
    try:
        assert "default" in next(lines)
        assert next(lines) == "True default"
        assert next(lines) == "block"
        room.close()
        assert next(line for line in lines if line != "block").startswith("False default has stopped")
        room.open()
        assert "True default" in lines
        assert next(lines) == "block"
    finally:
        listener.kill()
        listener.wait()


class FussyPortAudio:
    """Stands in for PyAudio: one device that does 48 kHz stereo and nothing else, and loses sound once."""

    paInt16, paInputOverflow, paContinue, paAbort = 8, 2, 0, 2  # noqa: N815 - PyAudio's own names

    def __init__(self) -> None:
        self.opened: list[tuple[int, int]] = []
        self.deliver: Callable[..., object] = print

    def get_device_count(self) -> int:
        return 1

    def get_default_input_device_info(self) -> dict[str, object]:
        return self.get_device_info_by_index(0)

    def get_device_info_by_index(self, index: int) -> dict[str, object]:
        return {"index": index, "name": "Fussy: Audio (hw:3,0)", "maxInputChannels": 2, "defaultSampleRate": 48000.0}

    def open(
        self, *, rate: int, channels: int, stream_callback: Callable[..., object], **_: object
    ) -> "FussyPortAudio":
        self.opened.append((rate, channels))
        if (rate, channels) != (48000, 2):
            raise OSError(-9997, "Invalid sample rate")
        self.deliver = stream_callback
        return self

    def start_stream(self) -> None:
        for status in (0, self.paInputOverflow):
            self.deliver(b"\1\0" * 4, 2, {}, status)


def test_a_device_that_refuses_16_khz_is_opened_at_its_own_rate_and_says_what_it_loses() -> None:
    device, written = FussyPortAudio(), io.BytesIO()
    (microphone,) = recorder.devices(device)
    assert microphone == {"name": "Fussy: Audio", "channels": 2, "rate": 48000, "default": True, "index": 0}
    recorder.record(device, device, microphone, written.write)  # type: ignore[arg-type]
    assert device.opened == [(16000, 1), (48000, 1), (48000, 2)]
    answer, _, records = written.getvalue().partition(b"\n")
    assert json.loads(answer) == {"rate": 48000, "channels": 2}
    pcm = b"\1\0" * 4
    assert records == recorder.HEADER.pack(False, 8) + pcm + recorder.HEADER.pack(True, 8) + pcm


def program(tmp_path: Path, body: str) -> str:
    """A recorder that does not need a microphone."""
    path = tmp_path / "recorder.py"
    path.write_text(
        "import os, sys, time\nfrom edge.sources.recorder import HEADER, line\n"
        "def say(data):\n    os.write(1, data)\n"
        'one = {"name": "one", "channels": 1, "rate": 16000, "default": True, "index": 7}\n' + body
    )
    return str(path)


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return lambda body: monkeypatch.setattr("edge.sources.recorder.__file__", program(tmp_path, body))


def test_f26_what_an_overrun_has_lost_is_counted_and_the_next_block_begins_another_stretch(
    stand_in: Callable[[str], None],
) -> None:
    stand_in(
        'say(line({"devices": [one]}))\n'
        'assert sys.stdin.readline() == "7\\n"\n'
        'say(line({"rate": 16000, "channels": 1}))\n'
        "for lost, value, count in ((0, 1, 512), (0, 2, 512), (0, 3, 100), (1, 4, 512), (0, 5, 512)):\n"
        "    say(HEADER.pack(lost, 2 * count) + value.to_bytes(2, 'little') * count)\n"
    )
    source = MicrophoneSource("ONE")
    blocks = source.blocks()
    seen = [(int(block[0]), int(block[-1]), source.lost_s) for block in islice(blocks, 5)]
    with pytest.raises(SourceError, match="one has stopped: is it still plugged in"):
        next(blocks)
    assert seen == [(1, 1, 0), (2, 2, 0), (3, 0, 0), (4, 4, 0.032), (5, 5, 0.032)]


def test_a_recorder_that_hangs_is_ended_with_a_sentence_that_names_what_it_has_open(
    stand_in: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("edge.sources.recorder.PATIENCE_S", 5)
    monkeypatch.setattr("edge.sources.jack.clear_leftover", lambda: "")
    stand_in(f"file = open({str(tmp_path / 'lock')!r}, 'w')\ntime.sleep(1000)")
    others = set(psutil.Process().children())
    with pytest.raises(
        SourceError, match=r"looking for microphones hangs in PortAudio .*/lock\), and was ended after 5 s"
    ):
        next(MicrophoneSource().blocks())
    assert set(psutil.Process().children()) == others


def test_what_the_recorder_cannot_do_is_said(stand_in: Callable[[str], None]) -> None:
    stand_in('say(line({"devices": [one]}))\nsys.stdin.readline()\nsay(line({"error": "Device unavailable"}))')
    with pytest.raises(SourceError, match="one cannot be opened: Device unavailable; does another program hold it"):
        next(MicrophoneSource("one").blocks())
    stand_in("os.abort()")
    with pytest.raises(SourceError, match="looking for microphones: PortAudio has crashed"):
        list_microphones()


def test_missing_pyaudio_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyaudio.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(SourceError, match=r"install affectd\[mic\]"):
        next(MicrophoneSource().blocks())


def test_jacks_leftover_is_removed_only_where_no_server_runs(tmp_path: Path) -> None:
    folder = tmp_path / f"jack_db-{os.getuid()}"
    folder.mkdir()
    (folder / "__db.001").touch(0o640)
    server = tmp_path / f"jack_default_{os.getuid()}_0"
    server.touch()
    assert jack.clear_leftover(tmp_path) == ""
    assert folder.exists()
    server.unlink()
    assert "is removed" in jack.clear_leftover(tmp_path)
    assert not folder.exists()
    assert jack.clear_leftover(tmp_path) == ""
