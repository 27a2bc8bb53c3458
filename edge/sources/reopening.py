"""A source that is opened again whenever it is lost."""

import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from edge.audio import BLOCK_SECONDS
from edge.errors import SourceError
from edge.sources.source import Source

_FIRST_DELAY_S = 0.5
_LONGEST_DELAY_S = 30.0
_BEAT_S = 1.0
_STEADY_BLOCKS = int(10 / BLOCK_SECONDS)  # a source that has played for so long starts over with short delays


class AwaitedError(SourceError):
    """Nobody has come yet. It is asked again at once, since the wait itself was the pause."""


class Reopening:
    """Wraps a source and opens it for ever, with exponential backoff, where its end is a fault.

    ``on_state(online, reason)`` is called from the reading thread whenever either changes; the reason for being
    online is the source's name. ``beat`` is called before each opening and in the pauses: a sign of life, also when
    nothing comes of it.
    """

    def __init__(
        self,
        source: Source,
        on_state: Callable[[bool, str], None],
        first_delay_s: float = _FIRST_DELAY_S,
        *,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = source.name
        self.endless = source.endless
        self.always_on = source.always_on
        self._source = source
        self._on_state = on_state
        self._first_delay_s = first_delay_s
        self._beat = beat
        self._closed = threading.Event()
        self._state: tuple[bool, str] | None = None

    @property
    def lost_s(self) -> float:
        """Seconds of sound that the source has lost, over all openings."""
        return self._source.lost_s

    @property
    def drains(self) -> int | None:
        """How often all that had come was read."""
        return self._source.drains

    def arrived(self) -> int | None:
        """Blocks that have come, read or not; None where they cannot be counted."""
        return self._source.arrived()

    def blocks(self) -> Iterator[NDArray[np.int16]]:
        """Blocks as the source yields them; an endless one goes on until ``close``, and raises nothing."""
        delay = self._first_delay_s
        while not self._closed.is_set():
            count = 0
            self._beat()
            try:
                for block in self._source.blocks():
                    count += 1
                    self._tell(True, self._source.name)
                    yield block
                reason = f"{self._source.name} has ended"
            except SourceError as error:
                if not self.endless:
                    raise
                reason = str(error)
                if isinstance(error, AwaitedError):
                    delay = 0.0
            if self._closed.is_set() or not self.endless:
                return
            self._tell(False, reason)
            delay = self._first_delay_s if count >= _STEADY_BLOCKS else delay
            self._rest(delay)
            delay = min(2 * delay, _LONGEST_DELAY_S) or self._first_delay_s

    def close(self) -> None:
        """End ``blocks()`` soon, for good; from any thread."""
        self._closed.set()
        self._source.close()

    def _rest(self, seconds: float) -> None:
        """Wait before the source is opened again; the pause alone may be longer than a worker may be silent."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._closed.wait(min(left, _BEAT_S)):
            self._beat()

    def _tell(self, online: bool, reason: str) -> None:
        if self._state != (online, reason):
            self._state = (online, reason)
            self._on_state(online, reason)
