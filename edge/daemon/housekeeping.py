"""What has to be done now and then, on the supervisor's thread."""

import time

import msgspec

from edge.daemon.gauges import Gauges
from edge.daemon.supervisor import Chore
from edge.model import memory
from edge.mqtt.retained import RetainedState

JOURNAL_S = 10.0


class Housekeeping:
    """Deadlines, diagnostics, the journal's limits, and memory that is given back while nobody speaks.

    ``silence_s`` is how long the source may bring nothing before the microphone is called offline.
    """

    def __init__(self, gauges: Gauges, retained: RetainedState, silence_s: float) -> None:
        self._gauges = gauges
        self._retained = retained
        self._silence_s = silence_s
        self._released = -1  # events by the time memory was last given back; what starting took is, too

    def chores(self, diagnostics_s: float) -> list[Chore]:
        """All of it, in order; the diagnostics every so many seconds."""
        return [
            Chore(0.0, self._deadlines),
            Chore(JOURNAL_S, self._journal, at_once=True),
            Chore(diagnostics_s, self.announce_diagnostics),
        ]

    def announce_diagnostics(self) -> None:
        """Publish the diagnostics as they are now."""
        self._retained.diagnostics(msgspec.json.encode(self._gauges.diagnostics()))

    def _deadlines(self) -> None:
        capture, inbox = self._gauges.capture, self._gauges.inbox
        if not capture.muted and time.monotonic() - capture.last_block > self._silence_s:
            self._retained.microphone(False)
            if not inbox.waiting:
                inbox.end()
        self._retained.tick()

    def _journal(self) -> None:
        self._gauges.journal.tick()
        events = self._gauges.reporter.events
        if not self._gauges.inbox.attentive and events > self._released:
            self._released = events
            memory.release()
