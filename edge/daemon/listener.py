"""The listener: the one thread that takes sound from the inbox, runs the pipeline and hands on what it finds."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import msgspec

from edge import features
from edge.audio import BLOCK_SECONDS
from edge.daemon.diagnostics import Stopwatch
from edge.daemon.pipeline import Analysis, Pipeline, PipelineItem
from edge.daemon.reporting import Reporter
from edge.daemon.voices import edited
from edge.errors import AffectdError
from edge.explain.explainer import PARTS, Explainer, Part
from edge.explain.recent import RecentUtterances
from edge.model import memory
from edge.model.adapter_store import AdapterStore
from edge.model.voice_store import VoiceStore
from edge.mqtt.commands import PendingRequest
from edge.sources.capture import Capture
from edge.sources.inbox import Block, Discontinuity, Inbox

QUEUE_S = 10.0  # of sound that may wait while the pipeline is busy; then the oldest is dropped
SOURCE_S = 4.0  # until capture has let go of what it was reading when the microphone was closed
HELD_S = 60.0  # how long sound stays in the gate where none comes to overwrite it


class Listener:
    """Owns the pipeline, the adapter, the voices and the recent utterances.

    ``run`` and the requests belong to its thread.

    Other threads hand requests in with ``Inbox.ask``; ``Inbox.attend`` tells capture whether somebody may speak.
    ``progress`` is called for every block, ``beat`` whenever the thread moves.
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
        people: VoiceStore | None,
        progress: Callable[[], None],
        beat: Callable[[], None],
    ) -> None:
        self._inbox = inbox
        self._capture = capture
        self._pipeline = pipeline
        self._explainer = explainer
        self._reporter = reporter
        self._adapters = adapters
        self._people = people
        self._progress = progress
        self._beat = beat
        self._recent = RecentUtterances()
        self._latest_s: float | None = None  # when the latest sound that the gate holds was processed, monotonic
        self._scrub_at: float | None = None  # when to wipe what is left in free memory, monotonic
        self.stopwatch = Stopwatch()

    def run(self) -> None:
        """Until the inbox is closed and all in it is processed."""
        blocks, stream_began = 0, time.time()
        while not self._inbox.exhausted:
            self._beat()
            self._expire(time.monotonic())
            match self._inbox.get(1.0):
                case Block() | Discontinuity() if self._capture.muted:
                    continue
                case Block(samples, heard_at):
                    blocks += 1
                    self._latest_s = time.monotonic()
                    stream_began = heard_at - blocks * BLOCK_SECONDS
                    self._progress()
                    self._process(self._pipeline.push(samples), stream_began, BLOCK_SECONDS)
                    samples.fill(0)  # the gate has a copy of its own
                    self._inbox.attend(closely=not self._pipeline.gate.asleep)
                case Discontinuity(sound=True):
                    self._process(self._pipeline.finish(), stream_began, 0.0)
                    self._inbox.attend(closely=False)
                case Discontinuity():
                    self._drop()
                case None:
                    continue
                case request:
                    request()
        self._process(self._pipeline.finish(), stream_began, 0.0)
        for store in (self._adapters, self._people):
            if store is not None:
                store.save()

    def answer(self, request: PendingRequest) -> None:
        """Request: ``forget``, ``explain`` a recent event, or what concerns ``voices``."""
        try:
            request.answer(self._result(request))
        except AffectdError as error:
            request.refuse(str(error))

    def _result(self, request: PendingRequest) -> bytes | None:
        body = request.body
        match request.verb:
            case "forget":
                self.forget()
                return None
            case "voices":
                return msgspec.json.encode(edited(self._people, body))
            case _:
                parts: tuple[Part, ...] = tuple(part for part in PARTS if part == body.part) or ("features", "time")
                return msgspec.json.encode(self._explainer.explain(self._recent.find(body.id or ""), parts))

    def forget(self) -> None:
        """Request: empty the adapter, on disk too, forget all voices and drop the features of recent utterances."""
        if self._adapters is not None:
            self._adapters.forget()
        if self._people is not None:
            self._people.forget()
        self._recent.clear()
        memory.scrub_objects()
        self._scrub()

    def interrupt(self) -> None:
        """Request: the microphone was closed. What was being said is dropped, and all that is held of what was said.

        What has been learnt stays: the adapter, and voices that were founded.
        """
        self._drop()
        if self._people is not None:
            self._people.voices.forget_waiting()
        self._recent.clear()
        self._scrub()
        self._scrub_at = time.monotonic() + SOURCE_S

    def use_threshold(self, threshold: float) -> None:
        """Request: from now on, the emotion is uncertain below this confidence."""
        self._pipeline.settings = replace(self._pipeline.settings, threshold=threshold)

    def _expire(self, now: float) -> None:
        """Wipe the features that are too old, and the sound in the gate where none comes to overwrite it."""
        if self._latest_s is not None and now - self._latest_s > HELD_S and self._pipeline.gate.asleep:
            self._pipeline.gate.wipe()
            self._latest_s = None
            self._scrub_at = now
        if self._recent.expire(now):
            self._scrub_at = now
        if self._scrub_at is not None and now >= self._scrub_at and self._recent.empty and self._pipeline.gate.asleep:
            self._scrub()

    def _scrub(self) -> None:
        """Leave nothing in the buffers of the features, nor in memory that is free but still ours."""
        features.wipe()
        memory.scrub()
        self._scrub_at = None

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
        for store in (self._adapters, self._people):
            if store is not None:
                store.save_in_time(now)

    def _drop(self) -> None:
        """What was being said when the microphone was closed, or broke, is not judged."""
        self._pipeline.gate.wipe()
        self._inbox.attend(closely=False)
