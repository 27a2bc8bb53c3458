"""What the journal keeps when it cannot keep everything: pure decisions, oldest first, explanations before events."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

BATCH = 1 / 20  # of what is there goes at a time: one large deletion is cheaper than one for each new event


@dataclass(frozen=True)
class Limits:
    """How much the journal may hold: ``size`` in bytes on disk, ``age_s`` in seconds, ``memory`` in events."""

    size: int = 64 << 20
    age_s: float = 7 * 86_400.0
    memory: int = 1000
    """Events kept while the disk cannot be written."""


@dataclass(frozen=True)
class Holdings:
    """What the journal holds: bytes on disk, records, explanations, and records past their age."""

    size: int
    records: int
    explanations: int
    expired: int = 0


@dataclass(frozen=True)
class Relief:
    """How many of the oldest explanations and records have to go, and why."""

    explanations: int = 0
    records: int = 0
    reason: str = ""

    def __bool__(self) -> bool:
        return self.explanations > 0 or self.records > 0


def relief(holdings: Holdings, limits: Limits) -> Relief:
    """The next thing to drop; ask again after dropping it. False once everything is within its bounds."""
    if holdings.expired:
        return Relief(records=holdings.expired, reason="age")
    if holdings.size <= limits.size:
        return Relief()
    if holdings.explanations:
        return Relief(explanations=math.ceil(holdings.explanations * BATCH), reason="space")
    return Relief(records=math.ceil(holdings.records * BATCH), reason="space")


def missing(held: Iterable[tuple[int, int]], first: int, last: int) -> list[tuple[int, int]]:
    """The runs of sequence numbers from ``first`` to ``last`` that none of the ascending spans ``held`` covers."""
    runs = []
    expected = first
    for start, end in held:
        if start > expected:
            runs.append((expected, min(start - 1, last)))
        expected = max(expected, end + 1)
    if expected <= last:
        runs.append((expected, last))
    return [(start, end) for start, end in runs if start <= end]


def joined(reasons: Iterable[str]) -> str:
    """One reason for a gap that several gaps have become part of."""
    return ", ".join(sorted({part for reason in reasons if reason for part in reason.split(", ")}))
