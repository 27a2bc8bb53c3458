"""The ear: one thread that takes sound from the source to the inbox, and opens and closes the source."""

import logging
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from edge import log
from edge.sources import DigitalSilence, Reopening, Source
from edge.sources.batcher import Rest
from edge.sources.inbox import Block, Inbox
from edge.sources.rate_monitor import Pace

_logger = logging.getLogger("affectd")


class Capture:
    """Reads the source for as long as it is wanted; muted, it holds no source open.

    ``observe(online)`` is told, on this thread, whether blocks arrive and carry sound; ``beat`` that it turns;
    ``asleep()`` says that nobody speaks, so that blocks may come several at a time.
    """

    def __init__(
        self,
        open_source: Callable[[], Source],
        inbox: Inbox,
        *,
        silence_s: float,
        observe: Callable[[bool], None],
        beat: Callable[[], None],
        asleep: Callable[[], bool] = lambda: False,
    ) -> None:
        self._open_source = open_source
        self._inbox = inbox
        self._silence_s = silence_s
        self._observe = observe
        self._beat = beat
        self._asleep = asleep
        self._lock = threading.Lock()
        self._source: Source | None = None
        self._wanted = threading.Event()
        self._wanted.set()
        self._closed = threading.Event()
        self._called = threading.Event()  # back from a rest
        self._interrupted = False  # the source in hand was closed by ``mute``, whatever is wanted by now
        self.last_block = time.monotonic()
        self.losses = 0

    @property
    def muted(self) -> bool:
        return not self._wanted.is_set()

    def mute(self, on: bool) -> None:
        """Close the source, or open it again; from any thread."""
        with self._lock:
            if not on:
                self.last_block = time.monotonic()
                self._wanted.set()
                return
            self._wanted.clear()
            if self._source is not None:
                self._interrupted = True
                self._source.close()
        self._inbox.clear()
        self._called.set()

    def close(self) -> None:
        """End ``run`` soon, for good; from any thread."""
        with self._lock:
            self._closed.set()
            if self._source is not None:
                self._source.close()
        self._called.set()

    def awaken(self) -> None:
        """Somebody speaks: rest no longer; from any thread, as often as one likes."""
        if not self._called.is_set():
            self._called.set()

    def run(self) -> None:
        """Until ``close``, or the end of a source that may end. Raises SourceError where such a one fails."""
        try:
            while not self._closed.is_set():
                if not self._wanted.wait(1.0):
                    self._beat()
                elif not self._hear():
                    return
        finally:
            self._inbox.close()

    def _hear(self) -> bool:
        """Read one source to its end; returns whether to go on."""
        with self._lock:
            if self._closed.is_set() or self.muted:
                return True
            self._interrupted = False
            opened = _Beating(self._open_source(), self._beat)
            source = self._source = Reopening(opened, self._on_state)
        silence, pace, rest = DigitalSilence(self._silence_s), Pace(self._silence_s), Rest()
        give = self._inbox.offer if source.endless else self._inbox.put
        ready = time.monotonic()
        for samples in source.blocks():
            now = self.last_block = time.monotonic()
            silent, slow = silence.push(samples), source.endless and pace.push(now)
            seconds = rest.after(now - ready, now, self._asleep())
            if seconds is None:
                give(Block(samples, time.time()), wake=False)
                ready = now
                continue
            self._beat()
            self._observe(not silent and not slow)
            give(Block(samples, time.time()))
            if seconds:
                self._called.wait(seconds)
                self._called.clear()
            ready = time.monotonic()
        self._inbox.end()
        with self._lock:
            self._source, muted = None, self._interrupted
        if muted:
            self._inbox.clear()
            _logger.info(log.line("source", state="closed", reason="listening is OFF"))
        return source.endless or muted

    def _on_state(self, online: bool, reason: str) -> None:
        if online:
            _logger.info(log.line("source", state="open", name=reason))
        else:
            self.losses += 1
            _logger.warning(log.line("source", state="lost", reason=reason))
            self._observe(False)
            self._inbox.end()


class _Beating:
    """A source whose every opening is a sign of life, also when nothing comes of it."""

    def __init__(self, source: Source, beat: Callable[[], None]) -> None:
        self.endless = source.endless
        self._source = source
        self._beat = beat

    @property
    def name(self) -> str:
        return self._source.name

    def blocks(self) -> Iterator[NDArray[np.int16]]:
        self._beat()
        return self._source.blocks()

    def close(self) -> None:
        self._source.close()
