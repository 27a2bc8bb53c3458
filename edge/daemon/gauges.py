"""Reads the diagnostics off the daemon's parts."""

from dataclasses import dataclass, field

from edge.audio import BLOCK_SECONDS
from edge.daemon.clock import clock_state
from edge.daemon.diagnostics import Diagnostics, Stopwatch, Uptime, cpu_temperature_c, memory_mb
from edge.daemon.reporting import Reporter
from edge.journal.journal import Journal
from edge.model.adapter_store import AdapterStore
from edge.mqtt.commands import Commands
from edge.mqtt.connection import Connection
from edge.sources.capture import Capture
from edge.sources.inbox import Inbox


@dataclass(frozen=True)
class Gauges:
    """The parts that count; any thread may read them."""

    capture: Capture
    inbox: Inbox
    stopwatch: Stopwatch
    reporter: Reporter
    journal: Journal
    connection: Connection
    commands: Commands
    adapters: AdapterStore | None
    uptime: Uptime = field(default_factory=Uptime)

    def diagnostics(self) -> Diagnostics:
        """Everything, as it is now."""
        return Diagnostics(
            started=self.uptime.started,
            uptime_s=round(self.uptime.seconds, 1),
            clock=clock_state(),
            seq=self.journal.last,
            events=self.reporter.events,
            inference_p95_ms=self.stopwatch.p95_ms,
            real_time_factor=self.stopwatch.real_time_factor,
            memory_mb=memory_mb(),
            cpu_temperature_c=cpu_temperature_c(),
            journal="degraded" if self.journal.degraded else "ok",
            journal_depth=self.journal.depth,
            dropped_events=self.journal.dropped,
            expired_events=self.connection.expired,
            dropped_audio_s=round(self.inbox.dropped * BLOCK_SECONDS + self.capture.lost_s, 2),
            queued_audio_s=round(self.inbox.waiting * BLOCK_SECONDS, 2),
            microphone_losses=self.capture.losses,
            microphone_problem=self.capture.problem,
            connections=self.connection.connections,
            refused_commands=self.commands.refused,
            adapted_on=self.adapters.utterances if self.adapters else 0,
        )

    def status(self) -> str:
        """One line for `systemctl status`."""
        listening = "muted" if self.capture.muted else "listening"
        broker = "connected" if self.connection.connected else "no broker"
        return f"{listening}, {broker}, {self.reporter.events} events, {self.journal.depth} waiting"
