"""When a live source may be left alone for a moment, so that one awakening serves many blocks."""

from edge.audio import BLOCK_SECONDS

BLOCKS = 8  # heard at each awakening while nobody speaks: speech is noticed a quarter of a second late at most
REST_S = (BLOCKS - 0.75) * BLOCK_SECONDS  # all but the last block have come then
_LIVE_S = BLOCKS * BLOCK_SECONDS / 2  # waited for so many blocks; a file read as fast as it can be comes at once
_STILL_LIVE_S = 1e-3  # the same after a rest


class Rest:
    """Counts blocks and how long each was waited for; never lets the reader fall behind its source."""

    def __init__(self) -> None:
        self._blocks = 0
        self._waited_s = 0.0
        self._rested = False

    @property
    def midst(self) -> bool:
        """Whether the next block is one of several that came while the reader rested, and not the last of them."""
        return self._rested and self._blocks < BLOCKS - 1

    def after(self, waited_s: float, asleep: bool) -> float:
        """Seconds to rest after a block that was waited for so long; ``asleep``: nobody is known to speak."""
        self._blocks += 1
        self._waited_s += waited_s
        if self._blocks < BLOCKS:
            return 0.0
        self._rested = asleep and self._waited_s >= (_STILL_LIVE_S if self._rested else _LIVE_S)
        self._blocks, self._waited_s = 0, 0.0
        return REST_S if self._rested else 0.0
