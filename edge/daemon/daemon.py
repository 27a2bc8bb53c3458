"""The daemon: capture, listener and connection, each on a thread of its own, under one supervisor."""

import gc
import logging
import secrets
import signal
import time
from collections.abc import Iterator
from functools import partial
from types import FrameType

import msgspec

from edge import log
from edge.audio import BLOCK_SECONDS
from edge.config import Config
from edge.config.node import default_node
from edge.daemon.clock import clock_state
from edge.daemon.diagnostics import Diagnostics, Stopwatch, Uptime, cpu_temperature_c, memory_mb
from edge.daemon.pipeline import Analysis, Analyst, Heard, Listener
from edge.daemon.reporting import event_of
from edge.daemon.sd_notify import notify
from edge.daemon.state import lock, state_folder
from edge.daemon.watchdog import Watchdog
from edge.daemon.workers import Workers
from edge.errors import AffectdError
from edge.events.event import Event
from edge.explain.explainer import Explainer
from edge.explain.recent import Recall
from edge.journal.journal import Journal
from edge.journal.retention import Limits
from edge.model import memory
from edge.model.adapter_store import HABITS, Habits
from edge.model.bundle import Bundle
from edge.model.classifier import Classifier
from edge.mqtt.commands import Commands, Question
from edge.mqtt.connection import Connection
from edge.mqtt.discovery import every_topic
from edge.mqtt.retained import Presence, RetainedState
from edge.mqtt.session import Conversation
from edge.mqtt.settings import Settings
from edge.mqtt.topics import Incoming, Info, Topics
from edge.sources import open_source
from edge.sources.capture import Capture
from edge.sources.inbox import Block, Gap, Inbox
from edge.vad.gate import SpeechEnded, SpeechStarted

QUEUE_S = 10.0  # of audio that may wait while the classifier is busy; then the oldest is dropped
STALL_S = 3.0  # without a block for this long, nobody is known to speak
TICK_S = 2.0

_logger = logging.getLogger("affectd")


class Daemon:
    """Hears, understands and publishes until its source ends or it is told to stop."""

    def __init__(self, config: Config, bundle: Bundle) -> None:
        self._config = config
        self._bundle = bundle
        self._boot = secrets.token_hex(2)
        self._uptime, self._stopwatch = Uptime(), Stopwatch()
        node = config.node or default_node()
        self._topics = topics = Topics(config.mqtt.base, node)
        folder = state_folder(config.state_directory, node)
        self._lock = lock(folder)
        days, size = config.journal.max_days, config.journal.max_mb
        self._journal = Journal(folder, node, Limits(size=int(size * 2**20), age_s=days * 86_400))
        self._classifier = Classifier(bundle, threshold=config.model.threshold)
        self._default_threshold = self._classifier.threshold
        explainer = Explainer(self._classifier)
        self._recall = Recall(self._classifier, explainer)
        self._habits = Habits(folder / HABITS, bundle) if config.model.adapt else None
        analyst = Analyst(
            self._classifier,
            explainer if config.model.explain == "families" else None,
            adapter=self._habits.adapter if self._habits else None,
        )
        self._listener = Listener(config.gate, analyst)
        self._watchdog = Watchdog()
        self._inbox = Inbox(round(QUEUE_S / BLOCK_SECONDS))
        home_assistant = config.homeassistant
        listed = every_topic(topics, home_assistant.prefix, announced=home_assistant.discovery)
        self._connection = Connection(
            config.mqtt,
            f"affectd-{node}",
            Conversation(
                will=topics.will(),
                online=topics.online(),
                subscriptions=listed.subscribed,
                envelope=topics.journal,
                on_message=self._on_message,
            ),
            self._journal,
            beat=partial(self._watchdog.beat, "connection"),
            turn_s=min(TICK_S, self._watchdog.interval_s),
        )
        self._commands = Commands(
            topics, self._boot, home_assistant.prefix, folder / "settings.json", self._connection, self
        )
        settings = self._commands.settings
        self._retained = RetainedState(
            topics,
            Presence(hold_s=config.mqtt.hold_s, stall_s=STALL_S),
            Info(node=node, boot=self._boot, bundle=bundle.name, model=bundle.digest, labels=list(bundle.labels)),
            settings,
            self._threshold(settings),
            self._connection.publish,
            home_assistant.prefix if home_assistant.discovery else None,
        )
        self._capture = Capture(
            lambda: open_source(config.source),
            self._inbox,
            silence_s=config.source.silence_s,
            observe=self._retained.microphone,
            asleep=lambda: self._listener.gate.asleep,
            beat=partial(self._watchdog.beat, "capture")
            if config.source.kind in ("microphone", "command")
            else lambda: None,
        )
        self.apply(settings)
        self._events = 0
        self._workers = Workers()
        self._restarting = False

    def run(self) -> bool:
        """Serve until the source ends or a signal arrives; returns whether to start again. Raises AffectdError."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        health = self._config.health
        if health.prometheus_port is not None:
            from edge.daemon import prometheus  # here: few want it, and a web server is not small

            page = lambda: prometheus.exposition(self._diagnostics(), self._topics.node)  # noqa: E731
            prometheus.serve(health.prometheus_host, health.prometheus_port, page)
        self._retained.diagnostics(msgspec.json.encode(self._diagnostics()))  # the greeting brings them
        connection = self._workers.start("connection", self._connection.run)
        listening = self._workers.start("listener", self._listen, last=True)  # it ends once it has heard everything
        capturing = self._workers.start("capture", self._capture.run)
        _logger.info(
            log.line("listening", node=self._topics.node, bundle=self._bundle.name, source=self._config.source.kind)
        )
        gc.freeze()  # what starting made stays: the collector need not look through it while somebody speaks
        notify(READY=1, STATUS="listening")
        self._supervise()
        self._workers.check()  # raises at once: the broker tells subscribers, by our will
        notify(STOPPING=1, STATUS="stopping")
        self._capture.close()
        capturing.join(STALL_S)
        listening.join(QUEUE_S)
        self._retained.microphone(False)
        self._connection.close()
        connection.join(STALL_S + 5.0)
        self._journal.close()
        self._workers.check()
        _logger.info(log.line("stopped", events=self._events, dropped_blocks=self._inbox.dropped))
        return self._restarting

    def _supervise(self) -> None:
        """Until something is done: deadlines, diagnostics, and the watchdog, fed only while all workers move."""
        diagnostics_at, journal_at = time.monotonic() + self._config.health.diagnostics_s, 0.0
        released = -1  # events by the time memory was last given back; what starting took is, too
        while not self._workers.done.wait(min(TICK_S, self._watchdog.interval_s)):
            now = time.monotonic()
            if not self._capture.muted and now - self._capture.last_block > self._config.source.silence_s:
                self._retained.microphone(False)
                if not self._inbox.waiting:
                    self._inbox.end()
            self._retained.tick()
            if now >= journal_at:
                journal_at = now + 10.0
                self._journal.tick()
                if self._listener.gate.asleep and self._events > released:
                    released = self._events
                    memory.release()
            if now >= diagnostics_at:
                diagnostics_at = now + self._config.health.diagnostics_s
                self._retained.diagnostics(msgspec.json.encode(self._diagnostics()))
            self._watchdog.tick(now, self._status)

    def _listen(self) -> None:
        """The listener's thread: blocks out of the inbox, speech and events to journal and broker."""
        heard, stream_began = 0, time.time()
        while not self._inbox.exhausted:
            self._watchdog.beat("listener")
            match self._inbox.get(1.0):
                case Block() | Gap() if self._capture.muted:
                    continue
                case Block(samples, heard_at):
                    heard += 1
                    stream_began = heard_at - heard * BLOCK_SECONDS
                    self._retained.progress()
                    self._understand(self._listener.push(samples), stream_began, BLOCK_SECONDS)
                    if not self._listener.gate.asleep:
                        self._capture.awaken()  # it asked before this block was heard
                case Gap():
                    self._understand(self._listener.finish(), stream_began, 0.0)
                case None:
                    continue
                case job:
                    job()
        self._understand(self._listener.finish(), stream_began, 0.0)
        if self._habits is not None:
            self._habits.save()

    def _understand(self, found: Iterator[Heard], stream_began: float, heard_s: float) -> None:
        """Tell what ``heard_s`` of sound brought to light, and take the time of it."""
        began = time.monotonic()
        spoke = False
        for item in found:
            spoke = spoke or isinstance(item, Analysis)
            self._tell(item, stream_began)
        self._stopwatch.block(heard_s, time.monotonic() - began, utterance=spoke)

    def _tell(self, item: Heard, stream_began: float) -> None:
        """``stream_began``: seconds since the epoch."""
        if self._capture.muted:
            return
        match item:
            case SpeechStarted():
                self._retained.speech(True)
            case SpeechEnded():
                self._retained.speech(False)
            case Analysis():
                event, durable = self._journal.accept(self._draft(item, stream_began))
                fields = {"seq": event.seq, "id": event.id, "emotion": event.emotion, "confidence": event.confidence}
                _logger.info(log.line("accepted" if durable else "kept in memory", **fields))
                self._events += 1
                self._recall.keep(event.id, item.frames, item.verdict)
                self._retained.event(event)
                self._connection.look()
                if self._habits is not None:
                    self._habits.save_in_time(time.monotonic())

    def _draft(self, analysis: Analysis, stream_began: float) -> Event:
        """The event without its number, which the journal gives it."""
        return event_of(
            analysis,
            node=self._topics.node,
            boot=self._boot,
            stream_began=stream_began,
            model=self._bundle.digest,
        )

    def _on_message(self, message: Incoming) -> None:
        self._commands.process(message)

    def apply(self, settings: Settings) -> None:
        """Let the settings take effect, and say so."""
        self._classifier.threshold = self._threshold(settings)
        if settings.listening == self._capture.muted:
            self._capture.mute(not settings.listening)
            self._inbox.ask(self._interrupt)
        if not settings.listening:
            self._retained.muted()
        self._retained.settings(settings, self._classifier.threshold)

    def restart(self) -> None:
        """Stop, and start again in the same process."""
        self._restarting = True
        self._workers.done.set()

    def ask(self, question: Question) -> None:
        """Answer it on the listener's thread, between two blocks."""
        self._inbox.ask(partial(self._answer, question))

    def _answer(self, question: Question) -> None:
        try:
            result = self._recall.explain(question.id, question.parts) if question.verb == "explain" else None
        except AffectdError as error:
            question.refuse(str(error))
            return
        if question.verb == "forget" and self._habits is not None:
            self._habits.forget()
        question.answer(result)

    def _threshold(self, settings: Settings) -> float:
        return self._default_threshold if settings.threshold is None else settings.threshold

    def _interrupt(self) -> None:
        """What was being said when the microphone was closed is not to be understood."""
        self._listener.gate.finish()

    def _diagnostics(self) -> Diagnostics:
        return Diagnostics(
            started=self._uptime.started,
            uptime_s=round(self._uptime.seconds, 1),
            clock=clock_state(),
            seq=self._journal.last,
            events=self._events,
            inference_p95_ms=self._stopwatch.p95_ms,
            real_time_factor=self._stopwatch.real_time_factor,
            memory_mb=memory_mb(),
            cpu_temperature_c=cpu_temperature_c(),
            journal="degraded" if self._journal.degraded else "ok",
            journal_depth=self._journal.depth,
            dropped_events=self._journal.dropped,
            expired_events=self._connection.expired,
            dropped_audio_s=round(self._inbox.dropped * BLOCK_SECONDS, 2),
            queued_audio_s=round(self._inbox.waiting * BLOCK_SECONDS, 2),
            microphone_losses=self._capture.losses,
            connections=self._connection.connections,
            refused_commands=self._commands.refused,
            adapted_on=self._habits.adapter.utterances if self._habits else 0,
        )

    def _status(self) -> str:
        hearing = "muted" if self._capture.muted else "listening"
        broker = "connected" if self._connection.connected else "no broker"
        return f"{hearing}, {broker}, {self._events} events, {self._journal.depth} waiting"

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)  # a second one ends us at once
        self._workers.done.set()
