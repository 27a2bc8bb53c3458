"""How the daemon is doing: what it counts and measures of itself, as MQTT and Prometheus show it."""

import collections
import os
import threading
import time
from pathlib import Path

import msgspec

from edge.events.event import SCHEMA, stamp

_RECENT = 100  # utterances that the 95th percentile is taken over
_ZONE = Path("/sys/class/thermal/thermal_zone0/temp")


class Diagnostics(msgspec.Struct, frozen=True, kw_only=True):
    """Payload of ``diagnostics``. Counters run from the start of the process, ``seq`` from that of the node."""

    schema: int = SCHEMA
    started: str
    uptime_s: float
    clock: str
    seq: int
    events: int
    inference_p95_ms: float | None
    real_time_factor: float | None
    """Seconds of computing per second of sound heard."""
    memory_mb: float
    cpu_temperature_c: float | None
    journal: str
    """``ok``, or ``degraded`` where events are kept in memory only."""
    journal_depth: int
    dropped_events: int
    """From the journal; each is named by a gap record."""
    expired_events: int
    """Not published live because there was no connection in time; the journal has them."""
    dropped_audio_s: float
    """Not processed in time, or lost by the sound system."""
    queued_audio_s: float
    microphone_losses: int
    connections: int
    refused_commands: int
    adapted_on: int
    microphone_problem: str | None = None
    """What is wrong with the source, as ``no signal`` or ``hum``; its names are those of `edge.sources.health`."""


class Stopwatch:
    """How long processing takes, against how much sound was heard; any thread may call it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._utterances_ms: collections.deque[float] = collections.deque(maxlen=_RECENT)
        self._busy_s = 0.0
        self._heard_s = 0.0

    def block(self, heard_s: float, busy_s: float, *, utterance: bool) -> None:
        """``heard_s`` of sound were processed in ``busy_s``; ``utterance`` where one was analysed meanwhile."""
        with self._lock:
            self._heard_s += heard_s
            self._busy_s += busy_s
            if utterance:
                self._utterances_ms.append(busy_s * 1e3)

    @property
    def p95_ms(self) -> float | None:
        """The 95th percentile of the recent utterances, in milliseconds."""
        with self._lock:
            ranked = sorted(self._utterances_ms)
        return round(ranked[int(0.95 * (len(ranked) - 1))], 1) if ranked else None

    @property
    def real_time_factor(self) -> float | None:
        """Seconds of processing per second of sound; None before any was heard."""
        with self._lock:
            return round(self._busy_s / self._heard_s, 4) if self._heard_s else None


class Uptime:
    """When the process began; a clock that is set later moves ``started`` with it."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the process began."""
        return time.monotonic() - self._began

    @property
    def started(self) -> str:
        """UTC, to the second, so that a clock that is merely adjusted does not change it."""
        return stamp(float(round(time.time() - self.seconds)))


def memory_mb() -> float:
    """Resident memory of this process in MB (proc(5), statm)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)


def cpu_temperature_c(zone: Path = _ZONE) -> float | None:
    """None where the kernel shows no thermal zone."""
    try:
        return round(int(zone.read_text(encoding="ascii")) / 1000, 1)
    except (OSError, ValueError):
        return None
