"""Threads that the daemon cannot live without: the first that fails ends it."""

import logging
import threading
from collections.abc import Callable

from edge.errors import AffectdError

_logger = logging.getLogger("affectd")


class Workers:
    """``done`` is set when a worker has failed, or the one that matters for the end has finished."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self._failure: AffectdError | None = None

    def start(self, name: str, target: Callable[[], None], *, last: bool = False) -> threading.Thread:
        """Run ``target`` on a thread; when it returns and is the ``last``, all is done."""

        def work() -> None:
            try:
                target()
            except AffectdError as error:
                self._fail(error)
            except BaseException as error:  # whatever it is, the daemon must not live on deaf
                _logger.debug("trace", exc_info=error)
                self._fail(
                    AffectdError(
                        f"the {name} has failed ({type(error).__name__}: {error}): "
                        "this is a fault of affectd; log_level: debug shows where"
                    )
                )
            else:
                if last:
                    self.done.set()

        thread = threading.Thread(target=work, name=name, daemon=True)
        thread.start()
        return thread

    def check(self) -> None:
        """Raises what the first worker that failed died of."""
        if self._failure is not None:
            raise self._failure

    def _fail(self, error: AffectdError) -> None:
        self._failure = self._failure or error
        self.done.set()
