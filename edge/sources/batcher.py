"""When a live source may be left alone for a moment, so that one wake-up serves many blocks."""

from edge.audio import BLOCK_SECONDS

BLOCKS = 16  # taken at each wake-up while nobody speaks: speech is noticed half a second late at most
ROUNDS = 8  # rests in a row that are timed by the clock; then one is cut short to see whether more has come
REST_S = BLOCKS * BLOCK_SECONDS
LATE_S = 4e-3  # jitter margin: so long after its end, the last block has come
PROBING_REST_S = (BLOCKS - 0.75) * BLOCK_SECONDS  # all but the last block have come then
_WAITED_S = 1e-3  # a block that took at least so long was not there yet: the source has no more
_LIVE_S = REST_S / 2  # waited for so many blocks; a file read as fast as it can be comes at once


class WakeUpBatcher:
    """Decides from how long each block took how long to rest; never lets the reader fall behind its source."""

    def __init__(self) -> None:
        self._live = False
        self._counted = False  # a rest for so many blocks is over, and so many are there
        self._rests = 0
        self._blocks = 0
        self._waited_s = 0.0
        self._read_to = 0.0  # monotonic time at which the newest block ended that has been read

    def push(self, waited_s: float, now: float, *, asleep: bool) -> float | None:
        """Seconds to rest after a block that came at ``now`` (monotonic) and was waited for so long.

        ``asleep``: nobody is known to speak. None: more has come already, which belongs to the same batch.
        """
        self._blocks += 1
        self._waited_s += waited_s
        drained = waited_s >= _WAITED_S
        if not self._live:
            if self._blocks < BLOCKS:
                return 0.0
            self._live = drained = self._waited_s >= _LIVE_S
        elif not drained:
            if self._blocks < (BLOCKS if self._counted else 2 * BLOCKS):
                return None
            self._live = self._counted
        self._blocks, self._waited_s = 0, 0.0
        if drained:
            self._read_to = now
        if not (self._live and asleep):
            self._counted = False
            return 0.0
        self._rests += 1
        self._counted = self._rests % ROUNDS != 0
        until = self._read_to + (REST_S + LATE_S if self._counted else PROBING_REST_S)
        self._read_to += REST_S
        return max(0.0, until - now)
