"""systemd's watchdog, fed only while every worker moves: never alive and deaf."""

import logging
import time
from collections.abc import Callable

from edge import log
from edge.daemon.health import Pulse
from edge.daemon.sd_notify import notify, watchdog_s

PATIENCE_S = 45.0  # a worker that has not moved for so long is stuck; less under a shorter watchdog

_logger = logging.getLogger("affectd")


class Watchdog:
    """Takes the workers' heartbeats from any thread; one thread calls ``tick``, about every ``interval_s``."""

    def __init__(self) -> None:
        self._wanted_s = watchdog_s()
        self._pulse = Pulse(min(PATIENCE_S, 0.75 * (self._wanted_s or PATIENCE_S)))
        self._fed_at = 0.0
        self._stuck: list[str] = []

    @property
    def interval_s(self) -> float:
        return (self._wanted_s or PATIENCE_S) / 4

    def beat(self, worker: str) -> None:
        """The worker moves."""
        self._pulse.beat(worker, time.monotonic())

    def tick(self, now: float, status: Callable[[], str]) -> None:
        """Feed it, if all is well and it is time; ``status`` is what `systemctl status` shows."""
        stuck = self._pulse.stuck(now)
        if stuck and stuck != self._stuck:
            _logger.error(log.line("stuck", workers=", ".join(stuck)))
            notify(STATUS=f"stuck: {', '.join(stuck)}")
        self._stuck = stuck
        if not stuck and self._wanted_s is not None and now - self._fed_at >= self.interval_s:
            self._fed_at = now
            notify(WATCHDOG=1, STATUS=status())
