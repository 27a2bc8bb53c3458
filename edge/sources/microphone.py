"""A microphone, through PortAudio in a process of its own (``recorder.py``), which is ended where it hangs."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.audio import BLOCK_SECONDS
from edge.errors import SourceError
from edge.sources import jack, recorder
from edge.sources.pcm import PipeReader, pcm_blocks

_STALL_S = 5.0  # PortAudio may fall silent without a word when a device is pulled out
_PATIENCE_S = 2.0  # for the recorder to end when asked to
_NO_PLUGINS = {"ALSA_PLUGIN_DIR": "/nonexistent"}  # leaves the hardware: what is tried after a plug-in has hung


@dataclass(frozen=True, slots=True)
class Microphone:
    """A device that records: its name without what changes from boot to boot, channels, native rate in Hz."""

    name: str
    channels: int
    rate: int
    default: bool
    index: int


def list_microphones() -> list[Microphone]:
    """Every recording device that PortAudio finds now; raises SourceError without PyAudio, or where it hangs."""
    with _Recorder(threading.Event()) as process:
        return process.microphones()


class MicrophoneSource:
    """The microphone whose name contains ``device``, whatever the case; the default one if None.

    Sound that PortAudio says it has lost is counted in ``lost_s``, at least one buffer each time.
    """

    endless = True
    always_on = False

    def __init__(self, device: str | None = None) -> None:
        self.name = device or "default microphone"
        self.lost_s = 0.0
        self.drains = 0
        self._device = device
        self._closed = threading.Event()
        self._plugins = True

    def arrived(self) -> None:
        """They are not counted."""

    def blocks(self) -> Iterator[NDArray[np.int16]]:
        """Open it and yield int16 [512], mono 16 kHz; raises SourceError. A further call opens it again."""
        # PortAudio looks for devices only as it starts, so each opening starts it anew.
        with _Recorder(self._closed, {} if self._plugins else _NO_PLUGINS) as process:
            try:
                microphone = choose_microphone(process.microphones(), self._device)
                rate, channels = process.open(microphone)
            except SourceError:
                self._plugins = not process.hangs
                raise
            self.name = microphone.name
            records = process.records()
            record = next(records, None)  # the first follows on nothing, whatever it says
            while record is not None:
                stretch = _Stretch(record[1], records)
                for block in pcm_blocks(stretch.pieces(), rate, channels):
                    self.drains = process.drains
                    yield block
                record = stretch.next
                if record is not None:
                    self.lost_s += BLOCK_SECONDS
        if not self._closed.is_set():
            raise SourceError(f"{self.name} has stopped: is it still plugged in?")

    def close(self) -> None:
        """End ``blocks()`` soon, for good; from any thread."""
        self._closed.set()


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


class _Stretch:
    """PCM of consecutive records without a loss between them; ``next`` is the record that begins another stretch."""

    def __init__(self, first: bytes, records: Iterator[tuple[bool, bytes]]) -> None:
        self.next: tuple[bool, bytes] | None = None
        self._first = first
        self._records = records

    def pieces(self) -> Iterator[bytes]:
        yield self._first
        for lost, pcm in self._records:
            if lost:
                self.next = lost, pcm
                return
            yield pcm


class _Recorder:
    """The process. ``hangs``: it was ended because PortAudio did not answer."""

    def __init__(self, closed: threading.Event, environment: dict[str, str] | None = None) -> None:
        self.hangs = False
        self._closed = closed
        self._reader = PipeReader(closed, float(recorder.PATIENCE_S))
        self._environment = environment or {}
        self._rest = b""

    def __enter__(self) -> "_Recorder":
        self._process = subprocess.Popen(
            [sys.executable, "-P", recorder.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # ALSA and JACK report every device that is not there
            env=os.environ | self._environment,
        )
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        self._pieces = self._reader.pieces(self._process.stdout.fileno())
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None  # noqa: S101, PT018 - pipes
        with contextlib.suppress(OSError):
            self._process.stdin.close()  # which ends it, unless it hangs
        try:
            self._process.wait(0 if self.hangs else _PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    @property
    def drains(self) -> int:
        """How often all that had come was read."""
        return self._reader.drains

    def microphones(self) -> list[Microphone]:
        """What there is. Raises SourceError."""
        return [Microphone(**device) for device in self._answer("looking for microphones")["devices"]]

    def open(self, microphone: Microphone) -> tuple[int, int]:
        """Its rate and channels, once it is open. Raises SourceError."""
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        with contextlib.suppress(OSError):  # the answer, or that there is none, says why
            self._process.stdin.write(b"%d\n" % microphone.index)
            self._process.stdin.flush()
        try:
            answer = self._answer(f"opening {microphone.name}")
        except _RefusedError as error:
            raise SourceError(f"{microphone.name} cannot be opened: {error}; does another program hold it?") from None
        self._reader.stall_s = _STALL_S
        return int(answer["rate"]), int(answer["channels"])

    def records(self) -> Iterator[tuple[bool, bytes]]:
        """Whether sound was lost before it, and PCM, until the recorder ends."""
        header, data = recorder.HEADER, b""
        with contextlib.suppress(SourceError):  # it has stalled, and so has ended
            for piece in chain([self._rest], self._pieces):
                data += piece
                place = 0
                while len(data) - place >= header.size:
                    lost, length = header.unpack_from(data, place)
                    if len(data) - place < header.size + length:
                        break
                    place += header.size
                    yield lost, data[place : place + length]
                    place += length
                data = data[place:]

    def _answer(self, doing: str) -> dict[str, Any]:
        """The next line of JSON."""
        try:
            while b"\n" not in self._rest:
                self._rest += next(self._pieces)
        except StopIteration:
            reason = "stopped" if self._closed.is_set() else "PortAudio has crashed: see that its libraries are whole"
            raise SourceError(f"{doing}: {reason}") from None
        except SourceError:
            self.hangs = True
            mended = jack.clear_leftover()
            raise SourceError(
                f"{doing} hangs in PortAudio or a library of its ({_held(self._process.pid)}), and was ended after "
                f"{recorder.PATIENCE_S} s: {mended or 'it is tried again, also without plug-ins of ALSA'}"
            ) from None
        text, _, self._rest = self._rest.partition(b"\n")
        answer: dict[str, Any] = json.loads(text)
        if "error" in answer:
            raise _RefusedError(answer["error"])
        return answer


class _RefusedError(SourceError):
    """The recorder says why it cannot do what it was asked."""


def _held(pid: int) -> str:
    """What a process that hangs has open, or waits in: files and sockets, as proc(5) shows them."""
    folder = Path(f"/proc/{pid}")
    found = []
    with contextlib.suppress(OSError):
        for link in sorted(folder.joinpath("fd").iterdir(), key=lambda link: int(link.name)):
            target = str(link.readlink())
            if int(link.name) > 2 and not target.startswith(("pipe:", "/dev/null")):
                found.append(target)
    with contextlib.suppress(OSError):
        lines = folder.joinpath("maps").read_text().splitlines()
        paths = dict.fromkeys(line.split()[-1] for line in lines if "/" in line)
        found += [Path(path).name for path in paths if "libasound_module" in path]
    return ", ".join(found) or "nothing open"
