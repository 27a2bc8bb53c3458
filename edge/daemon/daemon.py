"""The daemon: the wiring of capture, listener and connection, each on a thread of its own, under one supervisor."""

import gc
import logging
import secrets
import signal
from functools import partial
from pathlib import Path
from types import FrameType

from edge import log
from edge.audio import BLOCK_SECONDS
from edge.config import Config
from edge.config.node import default_node
from edge.daemon.gauges import Gauges
from edge.daemon.housekeeping import Housekeeping
from edge.daemon.listener import QUEUE_S, Listener
from edge.daemon.pipeline import AnalysisSettings, Pipeline
from edge.daemon.reporting import Origin, Reporter
from edge.daemon.state import lock, state_folder
from edge.daemon.supervisor import Supervisor, notify
from edge.explain.explainer import Explainer
from edge.journal.journal import Journal
from edge.journal.retention import Limits
from edge.model import voice_store
from edge.model.adapter_store import FILE_NAME, AdapterStore
from edge.model.bundle import Bundle
from edge.model.classifier import Classifier
from edge.model.learnt_file import LearntFile
from edge.model.manifest import MAP, VOICE
from edge.model.voice_store import VoiceStore
from edge.mqtt.commands import Commands, PendingRequest
from edge.mqtt.connection import Connection
from edge.mqtt.discovery import every_topic
from edge.mqtt.retained import Presence, RetainedState
from edge.mqtt.session import Conversation
from edge.mqtt.settings import Settings
from edge.mqtt.topics import Incoming, Info, Topics
from edge.sources import open_source
from edge.sources.capture import Capture
from edge.sources.inbox import Inbox

_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)  # the last one when a terminal closes
STALL_S = 3.0  # without a block for this long, nobody is known to speak

_logger = logging.getLogger("affectd")


def tells_apart(config: Config) -> bool:
    """Whether somebody wants to know whose voice it is: subscribers, or an adapter of each."""
    return config.voices.mode == "publish" or (config.voices.mode == "adapt" and config.model.adapt)


def unused_graphs(config: Config) -> tuple[str, ...]:
    """The graphs of a bundle that a daemon with this configuration never runs."""
    return (MAP,) if tells_apart(config) else (MAP, VOICE)


class Daemon:
    """Listens, predicts and publishes until its source ends or it is told to stop.

    Threads meet in three queues: the inbox (capture, requests and the listener), the journal and the connection's
    outbox (the listener, the supervisor and the connection).
    """

    def __init__(self, config: Config, bundle: Bundle) -> None:
        self._config = config
        self._bundle = bundle
        self._boot = secrets.token_hex(2)
        node = config.node or default_node()
        self._topics = topics = Topics(config.mqtt.base, node)
        folder = state_folder(config.state_directory, node)
        self._lock = lock(folder)
        days, size = config.journal.max_days, config.journal.max_mb
        self._journal = Journal(folder, node, Limits(size=int(size * 2**20), age_s=days * 86_400))
        self._supervisor = supervisor = Supervisor()
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
            beat=partial(supervisor.beat, "connection"),
            turn_s=supervisor.turn_s,
        )
        self._commands = Commands(
            topics, self._boot, home_assistant.prefix, folder / "settings.json", self._connection, self
        )
        settings = self._commands.settings
        people = self._people(folder)
        publishing = people is not None and people.published
        self._retained = RetainedState(
            topics,
            Presence(hold_s=config.mqtt.hold_s, stall_s=STALL_S),
            Info(node=node, boot=self._boot, bundle=bundle.name, model=bundle.digest, labels=list(bundle.labels)),
            settings,
            self._threshold(settings),
            self._connection.publish,
            home_assistant.prefix if home_assistant.discovery else None,
            intensity=bundle.intensity is not None,
            voices=publishing,
        )
        self._capture = Capture(
            lambda: open_source(config.source),
            self._inbox,
            silence_s=config.source.silence_s,
            observe=self._retained.microphone,
            beat=partial(supervisor.beat, "capture")
            if config.source.kind in ("microphone", "command", "wyoming", "rtsp")
            else lambda: None,
        )
        classifier = Classifier(bundle)
        adapters = AdapterStore(folder / FILE_NAME, bundle) if config.model.adapt else None
        adapter, voices = adapters.adapter if adapters else None, people.voices if people else None
        analysis = AnalysisSettings.of(config.model)
        origin = Origin(node, self._boot, bundle.digest, voices=publishing)
        self._reporter = Reporter(origin, self._journal, self._retained, self._connection.journal_grown)
        self._listener = Listener(
            self._inbox,
            self._capture,
            Pipeline(config.gate, classifier, analysis, adapter, voices),
            Explainer(classifier),
            self._reporter,
            adapters=adapters,
            people=people,
            progress=self._retained.progress,
            beat=partial(supervisor.beat, "listener"),
        )
        self.apply(settings)
        self._gauges = Gauges(
            self._capture,
            self._inbox,
            self._listener.stopwatch,
            self._reporter,
            self._journal,
            self._connection,
            self._commands,
            adapters,
        )
        self._housekeeping = Housekeeping(self._gauges, self._retained, config.source.silence_s)
        self._restarting = False

    def run(self) -> bool:
        """Serve until the source ends or a signal arrives; returns whether to start again. Raises AffectdError."""
        for number in _ENDING:
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # under nohup(1) it stays ignored
                signal.signal(number, self._on_signal)
        health, supervisor = self._config.health, self._supervisor
        if health.prometheus_port is not None:
            from edge.daemon import prometheus  # here: few want it, and a web server is not small

            page = lambda: prometheus.exposition(self._gauges.diagnostics(), self._topics.node)  # noqa: E731
            prometheus.serve(health.prometheus_host, health.prometheus_port, page)
        self._housekeeping.announce_diagnostics()  # the greeting brings them
        connection = supervisor.start("connection", self._connection.run)
        listening = supervisor.start("listener", self._listener.run, last=True)  # it ends once all is processed
        capturing = supervisor.start("capture", self._capture.run)
        _logger.info(
            log.line("listening", node=self._topics.node, bundle=self._bundle.name, source=self._config.source.kind)
        )
        gc.freeze()  # exclude start-up objects from garbage collection
        notify(READY=1, STATUS="listening")
        # Where a worker has failed this raises at once: the broker tells subscribers, by our will.
        supervisor.watch(self._housekeeping.chores(health.diagnostics_s), self._gauges.status)
        notify(STOPPING=1, STATUS="stopping")
        self._capture.close()
        capturing.join(STALL_S)
        listening.join(QUEUE_S)
        self._retained.microphone(False)
        self._connection.close()
        connection.join(STALL_S + 5.0)
        self._journal.close()
        supervisor.check()
        _logger.info(log.line("stopped", events=self._reporter.events, dropped_blocks=self._inbox.dropped))
        return self._restarting

    def apply(self, settings: Settings) -> None:
        """Let the settings take effect, and say so."""
        threshold = self._threshold(settings)
        self._inbox.ask(partial(self._listener.use_threshold, threshold))
        if settings.listening == self._capture.muted:
            self._capture.mute(not settings.listening)
            self._inbox.ask(self._listener.interrupt)
        if not settings.listening:
            self._retained.muted()
        self._retained.settings(settings, threshold)

    def restart(self) -> None:
        """Stop, and start again in the same process."""
        self._restarting = True
        self._supervisor.stop()

    def ask(self, request: PendingRequest) -> None:
        """Answer it on the listener's thread, between two blocks."""
        self._inbox.ask(partial(self._listener.answer, request))

    def _people(self, folder: Path) -> VoiceStore | None:
        """What tells voices apart, kept in ``folder`` where they are published; None where nobody is told apart.

        What was kept there goes where voices are no longer published: it is biometric data.
        """
        mode, adapt = self._config.voices.mode, self._config.model.adapt
        path = folder / voice_store.FILE_NAME
        if mode != "publish":
            LearntFile("voices", path).remove()
        voices = self._bundle.voices(adapt=adapt) if tells_apart(self._config) else None
        return VoiceStore(voices, self._bundle, path if mode == "publish" else None) if voices else None

    def _threshold(self, settings: Settings) -> float:
        chosen = [settings.threshold, self._config.model.threshold, self._bundle.threshold]
        return next(value for value in chosen if value is not None)

    def _on_message(self, message: Incoming) -> None:
        self._commands.process(message)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        for number in _ENDING:
            if signal.getsignal(number) == self._on_signal:
                signal.signal(number, signal.SIG_DFL)  # a second one ends us at once
        self._supervisor.stop()
