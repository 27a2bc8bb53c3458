"""Whether sound comes in real time: a device that halves its rate, or loses every other buffer, does not."""

import collections
from math import ceil

from edge.audio import BLOCK_SECONDS

SLOWEST = 0.75  # of real time; what the clocks of sound cards are apart is far less
PAUSE_S = 1.0  # a longer gap is an interruption, and what comes after it is measured anew


class Pace:
    """Measures blocks against the monotonic clock over a window of ``seconds``."""

    def __init__(self, seconds: float) -> None:
        self._arrivals: collections.deque[float] = collections.deque(maxlen=ceil(seconds * SLOWEST / BLOCK_SECONDS))
        self._seconds = seconds

    def push(self, now: float) -> bool:
        """Take the time of the next block; return whether the window's worth of them took too long."""
        if self._arrivals and now - self._arrivals[-1] > PAUSE_S:
            self._arrivals.clear()
        self._arrivals.append(now)
        full = len(self._arrivals) == self._arrivals.maxlen
        return full and now - self._arrivals[0] > self._seconds
