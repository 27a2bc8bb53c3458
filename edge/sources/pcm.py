"""Raw PCM, signed 16-bit little-endian, as programs write it to each other."""

import contextlib
import fcntl
import os
import select
import stat
import struct
import termios
import threading
from collections.abc import Iterable, Iterator
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from edge.audio import SAMPLE_RATE
from edge.errors import SourceError
from edge.sources.conversion import Converter, into_blocks

SAMPLE_BYTES = 2
_FULL_SCALE = 32768.0
_READ_BYTES = 65_536
_PIPE_BYTES = 1 << 18  # half a second, for which nobody may read, of two channels at 48 kHz and more
_LOOK_UP_S = 0.2  # how often a reader without data looks whether it has been closed


def pcm_blocks(pieces: Iterable[bytes], rate: int, channels: int) -> Iterator[NDArray[np.int16]]:
    """Turn PCM that comes in pieces of any size into blocks int16 [512], mono 16 kHz."""
    return into_blocks(_convert(pieces, rate, channels))


class PipeReader:
    """Reads what a pipe brings as it comes; another thread may set ``closed``, which ends it soon.

    ``drains`` counts how often it was empty: what is read after that was written after that.
    """

    def __init__(self, closed: threading.Event, stall_s: float | None) -> None:
        self.drains = 0
        self._taken = 0  # bytes
        self._reading = threading.Lock()  # what is being read is counted on one side of it
        self._closed = closed
        self.stall_s = stall_s

    def arrived(self, descriptor: int) -> int | None:
        """Bytes that have come through it, read or waiting (FIONREAD); None where it is neither pipe nor socket.

        From any thread; one ``descriptor`` for each reader.
        """
        with self._reading, contextlib.suppress(OSError):
            kind = os.fstat(descriptor).st_mode
            if stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind):  # a file has it all from the beginning
                (waiting,) = struct.unpack("i", fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)))
                return self._taken + int(waiting)
        return None

    def pieces(self, descriptor: int) -> Iterator[bytes]:
        """Bytes until the end; raises SourceError after ``stall_s`` of nothing."""
        _widen(descriptor)
        latest = monotonic()
        while not self._closed.is_set():
            if not _readable(descriptor, 0):
                self.drains += 1
                if not _readable(descriptor, _LOOK_UP_S):
                    if self.stall_s is not None and monotonic() - latest > self.stall_s:
                        raise SourceError(f"no sound for {self.stall_s:g} s")
                    continue
            with self._reading:
                piece = os.read(descriptor, _READ_BYTES)
                self._taken += len(piece)
            if not piece:
                return
            latest = monotonic()
            yield piece


class PipeSource:
    """What the sources have in common that read a pipe or a socket; ``stall_s`` as for ``PipeReader``."""

    def __init__(self, stall_s: float | None) -> None:
        self._closed = threading.Event()
        self._reader = PipeReader(self._closed, stall_s)

    @property
    def drains(self) -> int:
        """How often all that had come was read."""
        return self._reader.drains

    def arrived(self) -> int | None:
        """Blocks that have come; None: they are not counted."""
        return None

    def close(self) -> None:
        """End ``blocks()`` soon, for good; from any thread."""
        self._closed.set()


def _readable(descriptor: int, seconds: float) -> bool:
    """Whether there is something to read, or the end, within so many seconds."""
    return bool(select.select([descriptor], [], [], seconds)[0])


def _widen(descriptor: int) -> None:
    """Let a pipe hold what comes while the reader rests (fcntl(2), F_SETPIPE_SZ); what is no pipe holds it itself."""
    with contextlib.suppress(OSError):
        if fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ) < _PIPE_BYTES:
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _convert(pieces: Iterable[bytes], rate: int, channels: int) -> Iterator[NDArray[np.int16]]:
    converter = Converter(rate)
    frame_bytes = channels * SAMPLE_BYTES
    rest = b""
    for piece in pieces:
        data = rest + piece
        whole = len(data) // frame_bytes * frame_bytes
        rest = data[whole:]
        samples = np.frombuffer(data, dtype="<i2", count=whole // SAMPLE_BYTES).astype(np.int16, copy=False)
        if rate == SAMPLE_RATE and channels == 1:
            yield samples
        else:
            yield converter.push(samples.astype(np.float32).reshape(-1, channels) / np.float32(_FULL_SCALE))
    yield converter.finish()
