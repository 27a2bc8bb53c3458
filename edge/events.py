"""What is published about one utterance, and the clock that stamps it."""

import ctypes
import datetime
from pathlib import Path

import msgspec

from edge.explain import Explanation
from edge.listener import Analysis

SCHEMA = 1


class EventExplanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why: signed contributions to the log-odds of ``target``; they add up to ``value - base_value``."""

    method: str
    target: str
    families: dict[str, float]
    base_value: float
    value: float
    residual: float


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One utterance. Times are UTC RFC 3339, confidence and probabilities 0-1, ``snr_db`` dB over the noise."""

    schema: int = SCHEMA
    id: str
    node: str
    boot: str
    seq: int
    event_type: str
    emotion: str
    confidence: float
    probabilities: dict[str, float]
    start: str
    end: str
    duration_s: float
    snr_db: float
    explanation: EventExplanation | None = None
    adapted_on: int = 0
    model: str
    clock: str
    replayed: bool = False


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Stands in the journal, in order, for the utterances from ``from_seq`` to ``to_seq`` that it could not keep."""

    schema: int = SCHEMA
    id: str
    node: str
    event_type: str = "gap"
    from_seq: int
    to_seq: int
    reason: str


def stamp(seconds: float) -> str:
    """Seconds since the epoch as UTC RFC 3339 with milliseconds."""
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Timex(ctypes.Structure):
    """``struct timex`` of adjtimex(2), as far as it is read here; the rest is room for the kernel to write to."""

    _fields_ = (("modes", ctypes.c_uint), ("rest", ctypes.c_byte * 252))


_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised


_TIMESYNCD = Path("/run/systemd/timesync/synchronized")  # systemd-timesyncd.service(8)


def clock_state() -> str:
    """``synced`` when the kernel says that the wall clock follows a reference, else ``unsynced`` (adjtimex(2)).

    Where a sandbox forbids to ask the kernel, as ``ProtectClock=`` does, what systemd-timesyncd says holds.
    """
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.byref(_Timex()))
    except (OSError, AttributeError):  # a C library without adjtimex
        state = -1
    if state == -1:
        return "synced" if _TIMESYNCD.exists() else "unsynced"
    return "unsynced" if state == _TIME_ERROR else "synced"


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
        adapted_on=analysis.adapted_on,
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
        residual=round(explanation.residual, 6) + 0.0,  # never -0.0
    )
