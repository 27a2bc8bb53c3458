"""What the journal keeps when it cannot keep everything: pure decisions, oldest first, explanations before events."""

import math
from dataclasses import dataclass

BATCH = 1 / 20  # of what is there goes at a time: one large deletion is cheaper than one for each new event

LONGEST_SWEEP_S = 60.0


@dataclass(frozen=True)
class Limits:
    """How much the journal may hold: ``size`` in bytes on disk, ``age_s`` in seconds, ``memory`` in events."""

    size: int = 64 << 20
    age_s: float = 7 * 86_400.0
    memory: int = 1000
    """Events kept while the disk cannot be written."""

    @property
    def sweep_s(self) -> float:
        """Seconds between two looks for what is too old: each costs a synced transaction and a line in the log."""
        return min(LONGEST_SWEEP_S, self.age_s * BATCH)


@dataclass(frozen=True)
class Holdings:
    """What the journal holds, seen from its oldest record."""

    size: int
    """Bytes on disk."""
    records: int
    explanations: int
    leading_gap: bool = False
    """Whether the oldest record is a gap: nothing is gained by making a gap of it alone."""
    expired: int = 0
    """Records past their age that follow one another from the oldest on, without the leading gap."""


@dataclass(frozen=True)
class Excess:
    """How many of the oldest explanations go, or how many of the oldest records become one gap, and why."""

    explanations: int = 0
    records: int = 0
    reason: str = ""


def excess(holdings: Holdings, limits: Limits) -> Excess | None:
    """The next thing to drop, or None once everything is within its bounds; ask again after dropping it.

    It ends: each answer leaves fewer explanations, or fewer records behind the leading gap, than there were.
    """
    lead = int(holdings.leading_gap)
    if holdings.expired:
        return Excess(records=lead + holdings.expired, reason="age")
    if holdings.size <= limits.size:
        return None
    if holdings.explanations:
        return Excess(explanations=math.ceil(holdings.explanations * BATCH), reason="space")
    behind = holdings.records - lead
    return Excess(records=lead + math.ceil(behind * BATCH), reason="space") if behind > 0 else None
