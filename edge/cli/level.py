"""How loud and how long a recording is, and why nothing may have been found in it."""

import math
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from edge.audio import FULL_SCALE, SAMPLE_RATE

_QUIET_DB = -50.0  # dBFS: peaks below which the voice detectors find little


class Level:
    """How loud and how long the sound is that passes through."""

    def __init__(self) -> None:
        self._peak = 0
        self._samples = 0

    def through(self, chunks: Iterable[NDArray[np.int16]]) -> Iterator[NDArray[np.int16]]:
        """The same chunks, int16 [n] each."""
        for chunk in chunks:
            if len(chunk):
                self._peak = max(self._peak, int(chunk.max()), -int(chunk.min()))
            self._samples += len(chunk)
            yield chunk

    @property
    def seconds(self) -> float:
        """How long the sound was."""
        return self._samples / SAMPLE_RATE

    def why_nothing(self) -> str:
        """Why no utterance was found in it, in words."""
        seconds = f"{self.seconds:.1f} s"
        if not self._peak:
            return f"every sample of {seconds} is zero"
        peak_db = 20 * math.log10(self._peak / FULL_SCALE)
        if peak_db < _QUIET_DB:
            return f"it is too quiet (its peak is {peak_db:.0f} dBFS over {seconds}): make it louder"
        return f"no speech in {seconds} (peak {peak_db:.0f} dBFS): --whole takes the file as one utterance all the same"
