"""The daemon: a source, the listener and the connection, each on a thread of its own, under one supervisor."""

import logging
import queue
import secrets
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from types import FrameType

import numpy as np
from numpy.typing import NDArray

from edge import log
from edge.audio import BLOCK_SECONDS
from edge.bundle import Bundle
from edge.classifier import Classifier
from edge.config import Config
from edge.connection import Connection
from edge.events import Event, EventExplanation, clock_state, stamp
from edge.explain import Explainer, Explanation
from edge.gate import SpeechEnded, SpeechStarted
from edge.listener import Analysis, Analyst, Listener
from edge.presence import Change, Presence
from edge.sources import DigitalSilence, Reopening, Source, open_source
from edge.topics import Info, Message, Topics, default_node

QUEUE_S = 10.0  # of audio that may wait while the classifier is busy; then the oldest is dropped
STALL_S = 3.0  # without a block for this long, nobody is known to speak
TICK_S = 0.5

_logger = logging.getLogger("affectd")


class Daemon:
    """Hears, understands and publishes until its source ends or it is told to stop."""

    def __init__(self, config: Config, bundle: Bundle) -> None:
        self._config = config
        self._bundle = bundle
        self._topics = Topics(config.mqtt.base, config.node or default_node())
        self._boot = secrets.token_hex(2)
        self._seq = 0
        classifier = Classifier(bundle, threshold=config.model.threshold)
        explainer = Explainer(classifier) if config.model.explain == "families" else None
        self._listener = Listener(config.gate, Analyst(classifier, explainer))
        source = open_source(config.source)
        self._source: Source = Reopening(source, self._on_source) if source.endless else source
        self._blocks: queue.Queue[NDArray[np.int16] | None] = queue.Queue(round(QUEUE_S / BLOCK_SECONDS))
        self._heard = 0  # blocks that the listener has been through
        self._dropped = 0
        self._last_block = time.monotonic()
        self._presence = Presence(hold_s=config.mqtt.hold_s, stall_s=STALL_S)
        self._presence_lock = threading.Lock()
        self._connection = Connection(
            config.mqtt,
            f"affectd-{self._topics.node}",
            self._greeting,
            will=self._topics.will(),
            online=self._topics.online(),
        )
        self._done = threading.Event()  # the source has ended, or a worker has died, or we were told to stop
        self._failure: BaseException | None = None

    def run(self) -> None:
        """Serve until the source ends or SIGTERM or SIGINT arrives; raise what any of the threads raised."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        connection = self._worker("connection", self._connection.run)
        listening = self._worker("listener", self._listen)
        sounding = self._worker("source", self._sound)
        _logger.info(
            log.line("listening", node=self._topics.node, bundle=self._bundle.name, source=self._config.source.kind)
        )
        while not self._done.wait(TICK_S):
            self._tick()
        self._source.close()
        if self._failure is None:
            sounding.join(STALL_S)
            listening.join(QUEUE_S)
            self._publish_changes(partial(self._presence.microphone, False))
        self._connection.close()
        connection.join(STALL_S + 5.0)
        if self._failure is not None:
            raise self._failure
        _logger.info(log.line("stopped", events=self._seq, dropped_blocks=self._dropped))

    def _worker(self, name: str, target: Callable[[], None]) -> threading.Thread:
        def work() -> None:
            try:
                target()
            except BaseException as error:  # noqa: BLE001 (whatever it is, the daemon must not live on deaf)
                self._failure = self._failure or error
                self._done.set()

        thread = threading.Thread(target=work, name=name, daemon=True)
        thread.start()
        return thread

    def _sound(self) -> None:
        """The source's thread: blocks into the queue, and whether they carry sound."""
        silence = DigitalSilence(self._config.source.silence_s)
        try:
            for block in self._source.blocks():
                self._last_block = time.monotonic()
                silent = silence.push(block)
                self._publish_changes(partial(self._presence.microphone, not silent))
                self._offer(block)
        finally:
            self._blocks.put(None)

    def _on_source(self, online: bool, reason: str) -> None:
        if online:
            _logger.info(log.line("source", state="open", name=reason))
        else:
            _logger.warning(log.line("source", state="lost", reason=reason))
            self._publish_changes(partial(self._presence.microphone, False))

    def _offer(self, block: NDArray[np.int16]) -> None:
        """A source that can wait is made to; a live one loses its oldest audio."""
        if not self._source.endless:
            self._blocks.put(block)
            return
        while True:
            try:
                self._blocks.put_nowait(block)
            except queue.Full:
                self._blocks.get_nowait()
                self._dropped += 1
            else:
                return

    def _listen(self) -> None:
        """The listener's thread: blocks out of the queue, speech and events to the broker."""
        while (block := self._blocks.get()) is not None:
            self._heard += 1
            self._presence.progress(time.monotonic())
            for item in self._listener.push(block):
                self._publish(item)
        for item in self._listener.finish():
            self._publish(item)
        self._done.set()

    def _publish(self, item: SpeechStarted | SpeechEnded | Analysis) -> None:
        match item:
            case SpeechStarted():
                self._publish_changes(partial(self._presence.speech, True))
            case SpeechEnded():
                self._publish_changes(partial(self._presence.speech, False))
            case Analysis():
                event = self._event(item)
                self._connection.publish(self._topics.event(event))
                _logger.info(log.line("utterance", id=event.id, emotion=event.emotion, confidence=event.confidence))
                self._publish_changes(partial(self._presence.heard, event.emotion))

    def _event(self, analysis: Analysis) -> Event:
        self._seq += 1
        now = time.time()
        heard_s = self._heard * BLOCK_SECONDS
        return event_of(
            analysis,
            node=self._topics.node,
            boot=self._boot,
            seq=self._seq,
            stream_began=now - heard_s,
            model=self._bundle.digest,
        )

    def _publish_changes(self, change: Callable[[float], list[Change]]) -> None:
        with self._presence_lock:
            for changed in change(time.monotonic()):
                self._connection.publish(self._topics.change(changed))

    def _greeting(self) -> list[Message]:
        """What every connection starts with, in the order in which subscribers need it."""
        info = Info(
            node=self._topics.node,
            bundle=self._bundle.name,
            model=self._bundle.digest,
            labels=list(self._bundle.labels),
        )
        with self._presence_lock:
            values = self._presence.values()
        states = [self._topics.change(Change(topic, payload)) for topic, payload in values.items()]
        return [self._topics.info(info), *states]

    def _tick(self) -> None:
        stalled = time.monotonic() - self._last_block > self._config.source.silence_s
        if stalled:
            self._publish_changes(partial(self._presence.microphone, False))
        self._publish_changes(self._presence.tick)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)  # a second one ends us at once
        self._done.set()


def event_of(analysis: Analysis, *, node: str, boot: str, seq: int, stream_began: float, model: str) -> Event:
    """The event that tells subscribers about one utterance; ``stream_began`` in seconds since the epoch."""
    verdict = analysis.verdict
    return Event(
        id=f"{node}-{boot}-{seq:06d}",
        node=node,
        boot=boot,
        seq=seq,
        event_type=verdict.emotion,
        emotion=verdict.emotion,
        confidence=round(verdict.confidence, 4),
        probabilities={label: round(value, 4) for label, value in verdict.probabilities.items()},
        start=stamp(stream_began + analysis.start_s),
        end=stamp(stream_began + analysis.end_s),
        duration_s=round(analysis.end_s - analysis.start_s, 3),
        snr_db=round(analysis.snr_db, 1),
        explanation=None if analysis.explanation is None else _shortened(analysis.explanation),
        model=model,
        clock=clock_state(),
    )


def _shortened(explanation: Explanation) -> EventExplanation:
    return EventExplanation(
        method=explanation.method,
        target=explanation.target,
        families={family: round(value, 4) for family, value in explanation.families.items()},
        base_value=round(explanation.base_value, 4),
        value=round(explanation.value, 4),
        residual=round(explanation.residual, 6),
    )
