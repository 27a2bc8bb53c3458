"""When a live source may be left alone for a moment, so that one awakening serves many blocks."""

from edge.audio import BLOCK_SECONDS

BLOCKS = 16  # heard at each awakening while nobody speaks: speech is noticed half a second late at most
ROUNDS = 8  # of rests; then it is sounded out whether the source has more than the clock says
REST_S = BLOCKS * BLOCK_SECONDS
LATE_S = 4e-3  # past the end of the last block: by then it has come, however its way varies
SOUNDING_REST_S = (BLOCKS - 0.75) * BLOCK_SECONDS  # all but the last block have come then
_LIVE_S = REST_S / 2  # waited for so many blocks; a file read as fast as it can be comes at once
_WAITED_S = 1e-3  # a block that was not there yet: the source has no more


class Rest:
    """Watches how long each block was waited for; never lets the reader fall behind its source."""

    def __init__(self) -> None:
        self._live = False
        self._counted = False  # a rest for so many blocks is over, and so many are there
        self._rests = 0
        self._blocks = 0
        self._waited_s = 0.0
        self._heard_to = 0.0  # monotonic time at which the newest block ended that has been heard

    def after(self, waited_s: float, now: float, asleep: bool) -> float | None:
        """Seconds to rest after a block that came at ``now`` (monotonic) and was waited for so long.

        ``asleep``: nobody is known to speak. None: more has come already, which is to be heard with it.
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
            self._heard_to = now
        if not (self._live and asleep):
            self._counted = False
            return 0.0
        self._rests += 1
        self._counted = self._rests % ROUNDS != 0
        until = self._heard_to + (REST_S + LATE_S if self._counted else SOUNDING_REST_S)
        self._heard_to += REST_S
        return max(0.0, until - now)
