"""A microphone, through PortAudio."""

import contextlib
import os
import queue
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from time import monotonic
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.audio import BLOCK_SAMPLES, BLOCK_SECONDS, SAMPLE_RATE
from edge.errors import SourceError
from edge.sources.pcm import pcm_blocks

_STALL_S = 5.0  # PortAudio may fall silent without a word when a device is pulled out
_LOOK_UP_S = 0.2
_QUEUED = int(4 / BLOCK_SECONDS)  # buffers: what a busy reader may fall behind before the oldest is dropped
_UNSTABLE = re.compile(r"\s*\(hw:\d+,\d+\)$")  # ALSA's card numbers change with the order of plugging in


@dataclass(frozen=True, slots=True)
class Microphone:
    """A device that records: its name without what changes from boot to boot, channels, native rate in Hz."""

    name: str
    channels: int
    rate: int
    default: bool
    index: int


def list_microphones() -> list[Microphone]:
    """Every recording device that PortAudio finds now; raises SourceError without PyAudio."""
    with _port_audio() as (_, audio):
        return _microphones(audio)


class MicrophoneSource:
    """The microphone whose name contains ``device``, whatever the case; the default one if None.

    ``overflows`` counts buffers lost because nobody read them in time.
    """

    endless = True
    always_on = False

    def __init__(self, device: str | None = None) -> None:
        self.name = device or "default microphone"
        self.overflows = 0
        self.lost_s = 0.0
        self.drains: int | None = None
        self._device = device
        self._closed = threading.Event()

    def blocks(self) -> Iterator[NDArray[np.int16]]:
        # PortAudio looks for devices only as it starts, so each opening starts it anew.
        with _port_audio() as (pyaudio, audio):
            microphone = choose_microphone(_microphones(audio), self._device)
            self.name = microphone.name
            pieces: queue.Queue[bytes] = queue.Queue(_QUEUED)

            def deliver(data: bytes | None, _count: int, _time: Mapping[str, float], status: int) -> tuple[None, int]:
                self.overflows += bool(status & pyaudio.paInputOverflow)
                if pieces.full():
                    self.overflows += 1
                    with contextlib.suppress(queue.Empty):
                        pieces.get_nowait()
                pieces.put_nowait(data or b"")
                return None, pyaudio.paContinue

            stream, rate, channels = _open_stream(pyaudio, audio, microphone, deliver)
            try:
                yield from pcm_blocks(self._drain(stream, pieces), rate, channels)
            finally:
                with silenced_stderr(), contextlib.suppress(OSError):
                    stream.close()

    def close(self) -> None:
        """End ``blocks()`` soon, for good; from any thread."""
        self._closed.set()

    def _drain(self, stream: Any, pieces: "queue.Queue[bytes]") -> Iterator[bytes]:
        latest = monotonic()
        while not self._closed.is_set():
            try:
                piece = pieces.get(timeout=_LOOK_UP_S)
            except queue.Empty:
                if not stream.is_active() or monotonic() - latest > _STALL_S:
                    raise SourceError(f"{self.name} has stopped: is it still plugged in?") from None
            else:
                latest = monotonic()
                yield piece


def choose_microphone(microphones: list[Microphone], device: str | None) -> Microphone:
    """The one whose name contains ``device``, or the default one; raises SourceError that lists what there is."""
    if not microphones:
        raise SourceError("there is no microphone on this machine: plug one in, or choose another source.kind")
    if device is None:
        return next((microphone for microphone in microphones if microphone.default), microphones[0])
    wanted = device.casefold()
    exact = [microphone for microphone in microphones if microphone.name.casefold() == wanted]
    found = exact or [microphone for microphone in microphones if wanted in microphone.name.casefold()]
    if not found:
        names = ", ".join(repr(name) for name in dict.fromkeys(microphone.name for microphone in microphones))
        raise SourceError(f"no microphone's name contains {device!r}; there are {names}")
    return found[0]


@contextlib.contextmanager
def silenced_stderr() -> Iterator[None]:
    """Send what C libraries write to stderr to nowhere; ALSA and JACK report every device that is not there."""
    saved = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


@contextlib.contextmanager
def _port_audio() -> Iterator[tuple[ModuleType, Any]]:
    try:
        import pyaudio
    except ImportError as error:
        raise SourceError("a microphone needs PyAudio: install affectd[mic]") from error
    with silenced_stderr():
        audio = pyaudio.PyAudio()
    try:
        yield pyaudio, audio
    finally:
        audio.terminate()


def _microphones(audio: Any) -> list[Microphone]:
    try:
        default = audio.get_default_input_device_info()["index"]
    except OSError:
        default = None
    devices = [audio.get_device_info_by_index(index) for index in range(audio.get_device_count())]
    return [
        Microphone(
            name=_UNSTABLE.sub("", device["name"]),
            channels=device["maxInputChannels"],
            rate=int(device["defaultSampleRate"]),
            default=device["index"] == default,
            index=device["index"],
        )
        for device in devices
        if device["maxInputChannels"] > 0
    ]


def _open_stream(pyaudio: ModuleType, audio: Any, microphone: Microphone, deliver: object) -> tuple[Any, int, int]:
    """Open at 16 kHz mono; else at what the device itself does: stream, rate, channels."""
    formats = dict.fromkeys(
        [(SAMPLE_RATE, 1), (microphone.rate, 1), (microphone.rate, 2), (microphone.rate, microphone.channels)]
    )
    refusal = ""
    for rate, channels in formats:
        if channels > microphone.channels:
            continue
        try:
            with silenced_stderr():
                stream = audio.open(
                    rate=rate,
                    channels=channels,
                    format=pyaudio.paInt16,
                    input=True,
                    input_device_index=microphone.index,
                    frames_per_buffer=BLOCK_SAMPLES * rate // SAMPLE_RATE,
                    stream_callback=deliver,
                )
        except (OSError, ValueError) as error:
            refusal = str(error.args[-1] if error.args else error)
        else:
            return stream, rate, channels
    raise SourceError(f"{microphone.name} cannot be opened: {refusal}; does another program hold it?")
