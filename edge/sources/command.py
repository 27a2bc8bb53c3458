"""Any program that writes raw PCM: arecord, parec, ffmpeg with a network camera."""

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from edge.audio import SAMPLE_RATE
from edge.errors import SourceError
from edge.sources.pcm import PipeSource, pcm_blocks

_STALL_S = 10.0  # a live program that is silent for so long hangs
_PATIENCE_S = 2.0  # for a program to end by itself, or when asked to
_LAST_WORDS_BYTES = 2000


class CommandSource(PipeSource):
    """Signed 16-bit little-endian PCM from the standard output of a program, which is stopped on close."""

    endless = True
    always_on = False  # the program is stopped
    lost_s = 0.0  # it does not say
    remedy = ""
    """What to do where the program cannot be run."""

    def __init__(self, command: list[str], rate: int = SAMPLE_RATE, channels: int = 1) -> None:
        if not command:
            raise SourceError("source.command is empty: name the program to run")
        super().__init__(_STALL_S)
        self.name = Path(command[0]).name
        self._command = command
        self._rate = rate
        self._channels = channels
        self._input = b""  # what the program is told; less than a pipe holds

    def blocks(self) -> Iterator[NDArray[np.int16]]:
        """Run the program and read what it writes, as int16 [512], mono 16 kHz; SourceError where it fails."""
        return pcm_blocks(self._run(), self._rate, self._channels)

    def _run(self) -> Iterator[bytes]:
        process = self._start()
        assert process.stdout is not None and process.stderr is not None  # noqa: S101, PT018 - both are pipes
        last_words = _LastWords(process.stderr)
        try:
            yield from self._reader.pieces(process.stdout.fileno())
            if self._closed.is_set():
                return
            self._report(process, last_words)
        except SourceError as error:
            raise SourceError(f"{self.name}: {error}") from error
        finally:
            _stop(process)
            last_words.finish()
            process.stdout.close()

    def _start(self) -> subprocess.Popen[bytes]:
        try:
            process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE if self._input else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # so that what it starts itself is stopped with it
            )
        except OSError as error:
            raise SourceError(f"{self._command[0]} cannot be run: {error.strerror}{self.remedy}") from error
        if process.stdin is not None:
            with contextlib.suppress(OSError), process.stdin:  # one that is gone says why with its last words
                process.stdin.write(self._input)
        return process

    def _report(self, process: subprocess.Popen[bytes], last_words: "_LastWords") -> None:
        """Its output has ended: raise SourceError unless it went well."""
        try:
            code = process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise SourceError("its output ended, but it still runs") from None
        if code != 0:
            how = f"ended with exit code {code}" if code > 0 else f"was ended by {signal.Signals(-code).name}"
            words = last_words.finish()
            raise SourceError(f"{how}: {words}" if words else how)


class _LastWords:
    """Drains a program's stderr, which would block it when full, and keeps the end."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._tail = b""
        self._thread = threading.Thread(target=self._drain, name="stderr", daemon=True)
        self._thread.start()

    def finish(self) -> str:
        """Its last line, once the program is gone."""
        self._thread.join(_PATIENCE_S)
        lines = self._tail.decode(errors="replace").splitlines()
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def _drain(self) -> None:
        with self._stream:
            while piece := os.read(self._stream.fileno(), _LAST_WORDS_BYTES):
                self._tail = (self._tail + piece)[-_LAST_WORDS_BYTES:]


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the program and what it has started; leave no zombie."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE_S)
