"""The microphone through PortAudio: on PulseAudio's monitor of a silent room, and on a device that refuses 16 kHz."""

import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np

from edge.audio import BLOCK_SAMPLES
from edge.sources import MicrophoneSource
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
        [sys.executable, "-c", LISTEN],
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
    """Stands in for PyAudio: one device that does 48 kHz stereo and nothing else."""

    paInt16, paInputOverflow, paContinue = 8, 2, 0  # noqa: N815 - PyAudio's own names

    def __init__(self) -> None:
        self.opened: list[tuple[int, int]] = []
        self.frames = np.repeat(np.full(48_000, 1000, dtype="<i2"), 2)

    def PyAudio(self) -> "FussyPortAudio":  # noqa: N802 - PyAudio's own name
        return self

    def terminate(self) -> None: ...

    def get_device_count(self) -> int:
        return 1

    def get_default_input_device_info(self) -> dict[str, object]:
        return self.get_device_info_by_index(0)

    def get_device_info_by_index(self, index: int) -> dict[str, object]:
        return {"index": index, "name": "Fussy: Audio (hw:3,0)", "maxInputChannels": 2, "defaultSampleRate": 48000.0}

    def open(self, *, rate: int, channels: int, stream_callback: Callable[..., object], **_: object) -> SimpleNamespace:
        self.opened.append((rate, channels))
        if (rate, channels) != (48000, 2):
            raise OSError(-9997, "Invalid sample rate")
        stream_callback(self.frames.tobytes(), 48_000, {}, self.paInputOverflow)
        return SimpleNamespace(is_active=lambda: False, close=lambda: None)


def test_device_that_refuses_16_khz_is_opened_at_its_own_rate_and_resampled(monkeypatch):
    device = FussyPortAudio()
    monkeypatch.setitem(sys.modules, "pyaudio", device)
    source = MicrophoneSource("fussy")
    blocks = source.blocks()
    received = np.concatenate([next(blocks) for _ in range(25)])
    assert device.opened == [(16000, 1), (48000, 1), (48000, 2)]
    assert len(received) == 25 * BLOCK_SAMPLES
    assert np.abs(received[2000:-2000] - 1000).max() <= 1
    assert source.name == "Fussy: Audio"
    assert source.overflows == 1
