"""A file of what was learnt, written now and then. A disk that refuses costs a warning, not the daemon."""

import logging
from collections.abc import Callable
from pathlib import Path

from edge import log

SAVE_EVERY_S = 60.0  # of speech going on; a memory card wears

_logger = logging.getLogger("affectd")


class LearntFile:
    """When it is due, whether it could be written, and its end. ``event`` is what its warnings are about."""

    def __init__(self, event: str, path: Path) -> None:
        self.path = path
        self._event = event
        self._saved_at = 0.0
        self._repeats = log.Repeats()

    def due(self, now: float) -> bool:
        """Whether ``SAVE_EVERY_S`` have passed since it last was, in monotonic seconds; if so, it is taken as saved."""
        if now - self._saved_at < SAVE_EVERY_S:
            return False
        self._saved_at = now
        return True

    def write(self, write: Callable[[], None], todo: str) -> bool:
        """Whether ``write`` could; where not, ``todo`` says in the log what that means."""
        try:
            write()
        except OSError as error:
            if self._repeats.due(str(error.strerror), self._saved_at):
                self._warn(error, todo)
            return False
        return True

    def remove(self) -> None:
        """Remove the file, if there is one."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            self._warn(error, "forgotten in memory alone")

    def _warn(self, error: OSError, todo: str) -> None:
        _logger.warning(log.line(self._event, path=self.path, error=str(error), todo=todo))
