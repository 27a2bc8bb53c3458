"""The listener: the one thread that takes sound from the inbox, runs the pipeline and hands on what it finds."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import msgspec

from edge import features
from edge.audio import BLOCK_SECONDS
from edge.daemon.diagnostics import Stopwatch
from edge.daemon.pipeline import Analysis, Pipeline, PipelineItem
from edge.daemon.reporting import Reporter
from edge.explain.explainer import Explainer, Part
from edge.explain.recent import RecentUtterances
from edge.model import memory
from edge.model.adapter_store import AdapterStore
from edge.sources.capture import Capture
from edge.sources.inbox import Block, Gap, Inbox

QUEUE_S = 10.0  # of sound that may wait while the pipeline is busy; then the oldest is dropped
HELD_S = 60.0  # how long sound stays in the gate where none comes to overwrite it


class Listener:
    """Owns the pipeline, the adapter and the recent utterances: ``run`` and the requests belong to its thread.

    Other threads hand requests in with ``Inbox.ask``, and read ``asleep``, which is set while nobody is known or
    suspected to speak. ``progress`` is called for every block, ``beat`` whenever the thread moves.
    """

    def __init__(
        self,
        inbox: Inbox,
        capture: Capture,
        pipeline: Pipeline,
        explainer: Explainer,
        reporter: Reporter,
        *,
        adapters: AdapterStore | None,
        asleep: threading.Event,
        progress: Callable[[], None],
        beat: Callable[[], None],
    ) -> None:
        self._inbox = inbox
        self._capture = capture
        self._pipeline = pipeline
        self._explainer = explainer
        self._reporter = reporter
        self._adapters = adapters
        self._asleep = asleep
        self._progress = progress
        self._beat = beat
        self._recent = RecentUtterances()
        self._latest_s: float | None = None  # when the latest sound that the gate holds was processed, monotonic
        self._unreleased = False  # features were wiped, but not yet what is left of them in free memory
        self.stopwatch = Stopwatch()

    def run(self) -> None:
        """Until the inbox is closed and all in it is processed."""
        blocks, stream_began = 0, time.time()
        while not self._inbox.exhausted:
            self._beat()
            self._expire(time.monotonic())
            match self._inbox.get(1.0):
                case Block() | Gap() if self._capture.muted:
                    continue
                case Block(samples, heard_at):
                    blocks += 1
                    self._latest_s = time.monotonic()
                    stream_began = heard_at - blocks * BLOCK_SECONDS
                    self._progress()
                    self._process(self._pipeline.push(samples), stream_began, BLOCK_SECONDS)
                    self._wake()
                case Gap():
                    self._process(self._pipeline.finish(), stream_began, 0.0)
                    self._wake()
                case None:
                    continue
                case request:
                    request()
        self._process(self._pipeline.finish(), stream_began, 0.0)
        if self._adapters is not None:
            self._adapters.save()

    def explain(self, event_id: str, parts: tuple[Part, ...]) -> bytes:
        """Request: the explanation of a recent event, as JSON. Raises ExplanationError."""
        return msgspec.json.encode(self._explainer.explain(self._recent.find(event_id), parts))

    def forget(self) -> None:
        """Request: empty the adapter, on disk too, and drop the features of recent utterances."""
        if self._adapters is not None:
            self._adapters.forget()
        self._recent.clear()
        self._release()

    def interrupt(self) -> None:
        """Request: the microphone was closed. What was being said is dropped, and all that is held of what was said."""
        self._pipeline.gate.wipe()
        self._asleep.set()
        self._latest_s = None
        self._recent.clear()
        self._release()

    def use_threshold(self, threshold: float) -> None:
        """Request: from now on, the emotion is uncertain below this confidence."""
        self._pipeline.settings = replace(self._pipeline.settings, threshold=threshold)

    def _expire(self, now: float) -> None:
        """Wipe the features that are too old, and the sound in the gate where none comes to overwrite it."""
        if self._latest_s is not None and now - self._latest_s > HELD_S and self._pipeline.gate.asleep:
            self._pipeline.gate.wipe()
            self._latest_s = None
            self._release()
        self._unreleased |= self._recent.expire(now)
        if self._unreleased and self._pipeline.gate.asleep:  # while somebody speaks, the next explanation wants it
            self._release()

    def _release(self) -> None:
        """Leave nothing in the buffers of the features, nor in memory that is free but still ours."""
        features.wipe()
        memory.release()
        self._unreleased = False

    def _process(self, found: Iterator[PipelineItem], stream_began: float, heard_s: float) -> None:
        """Hand on what ``heard_s`` of sound brought to light, and take the time of it."""
        began = time.monotonic()
        spoke = False
        for item in found:
            spoke = spoke or isinstance(item, Analysis)
            if not self._capture.muted:
                self._hand_on(item, stream_began)
            elif isinstance(item, Analysis):
                item.prediction.frames.fill(0)
        self.stopwatch.block(heard_s, time.monotonic() - began, utterance=spoke)

    def _hand_on(self, item: PipelineItem, stream_began: float) -> None:
        event = self._reporter.report(item, stream_began)
        if event is None or not isinstance(item, Analysis):
            return
        now = time.monotonic()
        self._recent.keep(event.id, item.prediction, now)
        if self._adapters is not None:
            self._adapters.save_in_time(now)

    def _wake(self) -> None:
        """Publish whether somebody speaks; if so, capture may no longer bring blocks several at a time."""
        if self._pipeline.gate.asleep:
            self._asleep.set()
        else:
            self._asleep.clear()
            self._capture.awaken()  # it asked before this block was heard
