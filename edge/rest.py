"""When a live source may be left alone for a moment, so that one awakening serves many blocks."""

from edge.audio import BLOCK_SECONDS

BLOCKS = 8  # heard at each awakening while nobody speaks: speech is noticed a quarter of a second late at most
REST_S = (BLOCKS - 0.75) * BLOCK_SECONDS  # all but the last block have come then
_LIVE_S = BLOCKS * BLOCK_SECONDS / 2  # waited for so many blocks; a file read as fast as it can be comes at once
_WAITED_S = 1e-3  # a block that was not there yet: the source has no more


class Rest:
    """Watches how long each block was waited for; never lets the reader fall behind its source."""

    def __init__(self) -> None:
        self._live = False
        self._blocks = 0
        self._waited_s = 0.0

    def last(self, waited_s: float) -> bool:
        """Whether a block that was waited for so long is the last that the source has, so that it should be heard."""
        return not self._live or waited_s >= _WAITED_S

    def after(self, waited_s: float, asleep: bool) -> float:
        """Seconds to rest after such a block; ``asleep``: nobody is known to speak."""
        self._blocks += 1
        self._waited_s += waited_s
        if self._live and self._blocks < 2 * BLOCKS and waited_s < _WAITED_S:
            return 0.0
        if not self._live and self._blocks < BLOCKS:
            return 0.0
        self._live = waited_s >= _WAITED_S if self._live else self._waited_s >= _LIVE_S
        self._blocks, self._waited_s = 0, 0.0
        return REST_S if self._live and asleep else 0.0
