"""Capture: one thread that takes sound from the source to the inbox, and opens and closes the source."""

import logging
import threading
import time
from collections.abc import Callable

from edge import log
from edge.audio import BLOCK_SECONDS
from edge.sources.batcher import WakeUpBatcher
from edge.sources.health import LOST, STALLED, Problem
from edge.sources.inbox import Inbox
from edge.sources.intake import Intake
from edge.sources.reopening import Reopening
from edge.sources.source import Source

STALE_S = 8.2  # of 16 kHz mono, which a pipe holds, where what was said while muted cannot be counted

_logger = logging.getLogger("affectd")


class Capture:
    """Reads the source for as long as it is wanted; muted, it holds no source open that can be closed.

    ``observe(online)`` is told, on this thread, whether usable sound arrives; ``beat`` that it turns.
    """

    def __init__(
        self,
        open_source: Callable[[], Source],
        inbox: Inbox,
        *,
        silence_s: float,
        observe: Callable[[bool], None],
        beat: Callable[[], None],
    ) -> None:
        self._open_source = open_source
        self._inbox = inbox
        self._silence_s = silence_s
        self._observe = observe
        self._beat = beat
        self._lock = threading.Lock()
        self._source: Reopening | None = None
        self._wanted = threading.Event()
        self._wanted.set()
        self._closed = threading.Event()
        self._intake: Intake | None = None
        self._problem: Problem | None = None
        self._interrupted = False  # the source in hand was closed by ``mute``, whatever is wanted by now
        self._stale = False  # what was said while muted may wait in the source
        self._fresh_after: int | None = None  # drains of the source, counted while it is stale
        self._skipped = 0  # blocks, since listening again
        self._taken = 0  # blocks of the source in hand
        self._old: int | None = None  # its first blocks, which came while muted; None where they are not counted
        self.last_block = time.monotonic()
        self.losses = 0
        self.lost_s = 0.0
        """Seconds of sound that the source has lost."""

    @property
    def muted(self) -> bool:
        """Whether no sound is wanted."""
        return not self._wanted.is_set()

    @property
    def problem(self) -> str | None:
        """What is wrong with the source now, in a word or two; None when nothing is, or while muted."""
        if self.muted:
            return None
        if self._problem is None and time.monotonic() - self.last_block > self._silence_s:
            return STALLED.name
        return self._problem.name if self._problem else None

    def mute(self, on: bool) -> None:
        """Close the source and forget what waits, or open it again; from any thread."""
        with self._lock:
            if on:
                self._wanted.clear()
                self._interrupted = self._stale = True
                self._inbox.shut()
                if self._source is not None and not self._source.always_on:
                    self._source.close()
            else:
                self.last_block = time.monotonic()
                if self.muted and self._source is not None:
                    self._old = self._source.arrived()
                self._wanted.set()
        self._inbox.call()

    def close(self) -> None:
        """End ``run`` soon, for good; from any thread."""
        with self._lock:
            self._closed.set()
            if self._source is not None:
                self._source.close()
        self._inbox.call()

    def run(self) -> None:
        """Until ``close``, or the end of a source that may end. Raises SourceError where such a one fails."""
        try:
            while not self._closed.is_set():
                source = self._open()
                if source is None:
                    self._wanted.wait(1.0)
                    self._beat()
                elif not self._read(source):
                    return
        finally:
            self._inbox.close()

    def _open(self) -> Reopening | None:
        """The source to read now, if any is wanted."""
        with self._lock:
            source = self._open_source()
            if self._closed.is_set() or (self.muted and not source.always_on):
                return None
            self._interrupted = False
            self._source = Reopening(source, self._on_state, beat=self._beat)
            self._taken, self._old = 0, self._source.arrived() if self._stale else None
            return self._source

    def _read(self, source: Reopening) -> bool:
        """Read one source to its end; returns whether to go on."""
        intake = self._intake = Intake(self._inbox, self._silence_s, live=source.endless)
        batcher, lost_s = WakeUpBatcher(), 0.0
        ready = time.monotonic()
        for samples in source.blocks():
            now = self.last_block = time.monotonic()
            if source.lost_s > lost_s:
                self.lost_s += source.lost_s - lost_s
                lost_s = source.lost_s
                intake.end()
            fresh = self._fresh(source)
            if fresh:
                intake.add(samples)
            else:
                intake.reset()
            rest_s = batcher.push(now - ready, now, asleep=self.muted or (fresh and not self._inbox.attentive))
            if rest_s is None:
                ready = now
                continue
            self._beat()
            if fresh:
                self._tell(intake.flush(now))
            if rest_s:
                self._inbox.rest(rest_s)
            ready = time.monotonic()
        intake.end()
        with self._lock:
            self._source, muted = None, self._interrupted and not source.always_on
        if muted:
            _logger.info(log.line("source", state="closed", reason="listening is OFF"))
        return source.endless or muted

    def _fresh(self, source: Reopening) -> bool:
        """Whether the next block is to be heard.

        After muting, what was said meanwhile may wait in a pipe. Where it cannot be counted, it is over once all that
        had come was read twice, since the block that was being filled the first time is older in part.
        """
        with self._lock:
            self._taken += 1
            if self.muted:
                self._fresh_after = None
                return False
            if self._stale and self._old is not None:
                if self._taken <= self._old:
                    return False
            elif self._stale and source.drains is not None:
                if self._fresh_after is None:
                    self._fresh_after, self._skipped = source.drains + 1, 0
                self._skipped += 1
                if source.drains <= self._fresh_after and self._skipped * BLOCK_SECONDS < STALE_S:
                    return False
            if self._stale:
                self._stale, self._fresh_after = False, None
                self._inbox.open()
            return True

    def _tell(self, problem: Problem | None) -> None:
        """Say what is wrong with the sound that comes, or that nothing is."""
        if problem is not self._problem:
            if problem is not None:
                _logger.warning(log.line("source", state="problem", reason=problem.name, advice=problem.advice))
            elif self._problem is not LOST:
                _logger.info(log.line("source", state="mended"))
            self._problem = problem
        self._observe(problem is None or problem.usable)

    def _on_state(self, online: bool, reason: str) -> None:
        if online:
            _logger.info(log.line("source", state="open", name=reason))
            return
        self.losses += 1
        _logger.warning(log.line("source", state="lost", reason=reason))
        if self._intake is not None:
            self._intake.end()
        self._problem = LOST
        self._observe(False)
