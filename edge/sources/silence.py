"""Digital silence: a microphone that is muted in hardware, or gone while its driver plays on."""

from math import ceil

import numpy as np
from numpy.typing import NDArray

from edge.audio import BLOCK_SECONDS


class DigitalSilence:
    """Counts blocks in which every sample is zero; real microphones never deliver any."""

    def __init__(self, seconds: float = 10.0) -> None:
        self._limit = ceil(seconds / BLOCK_SECONDS)
        self._count = 0

    def push(self, block: NDArray[np.int16]) -> bool:
        """Take the next block; return whether silence has lasted for the given time."""
        self._count = 0 if block.any() else self._count + 1
        return self._count >= self._limit
