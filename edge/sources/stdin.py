"""Raw PCM on standard input."""

import sys
from collections.abc import Iterator
from math import ceil

import numpy as np
from numpy.typing import NDArray

from edge.audio import BLOCK_SAMPLES, SAMPLE_RATE
from edge.errors import SourceError
from edge.sources.pcm import SAMPLE_BYTES, PipeSource, pcm_blocks


class StdinSource(PipeSource):
    """Signed 16-bit little-endian PCM from standard input, or from another open ``descriptor``."""

    name = "standard input"
    endless = False
    always_on = True
    lost_s = 0.0

    def __init__(self, rate: int = SAMPLE_RATE, channels: int = 1, descriptor: int | None = None) -> None:
        super().__init__(stall_s=None)
        self._rate = rate
        self._channels = channels
        self._descriptor = descriptor

    def arrived(self) -> int | None:
        """Blocks that have come since it was opened, read or not, the last perhaps in part; from any thread.

        None where what waits cannot be counted, as in a file.
        """
        descriptor = self._open_descriptor()
        count = None if descriptor is None else self._reader.arrived(descriptor)
        if count is None:
            return None
        margin = 0 if self._rate == SAMPLE_RATE else 1  # the resampler's filter reaches into the next one
        return ceil(count * SAMPLE_RATE / (self._channels * SAMPLE_BYTES * self._rate * BLOCK_SAMPLES)) + margin

    def blocks(self) -> Iterator[NDArray[np.int16]]:
        """Read it to its end, as int16 [512], mono 16 kHz. Raises SourceError where it is closed."""
        descriptor = self._open_descriptor()
        if descriptor is None:
            raise SourceError("standard input is closed: pipe raw PCM into it, or choose another source.kind")
        return pcm_blocks(self._reader.pieces(descriptor), self._rate, self._channels)

    def _open_descriptor(self) -> int | None:
        if self._descriptor is None and sys.stdin is not None:
            return sys.stdin.fileno()
        return self._descriptor
