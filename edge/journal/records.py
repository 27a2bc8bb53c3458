"""What the journal is made of: an event, or a gap that says which events are missing and why."""

import zlib
from dataclasses import dataclass

import msgspec

from edge.events.event import Event, EventExplanation, Gap


@dataclass(frozen=True)
class Record:
    """One place in the journal: an event, or the gap from ``from_seq`` to ``seq``.

    ``stored_s`` is when it was accepted, on the journal's own clock, which only runs while the daemon does.
    """

    seq: int
    from_seq: int
    stored_s: float
    body: bytes = b""
    """The event's JSON without its explanation; empty for a gap."""
    explanation: bytes | None = None
    reason: str = ""
    """Why there is a gap; empty for an event."""

    @property
    def gap(self) -> bool:
        return bool(self.reason)

    def checksum(self) -> int:
        """CRC-32 of all but the explanation, which has its own and can be lost alone."""
        head = f"{self.seq} {self.from_seq} {self.reason} ".encode()
        return zlib.crc32(self.body, zlib.crc32(head))


def record_of(event: Event, stored_s: float) -> Record:
    """The record of an event just heard."""
    body = msgspec.json.encode(msgspec.structs.replace(event, explanation=None))
    explanation = None if event.explanation is None else msgspec.json.encode(event.explanation)
    return Record(event.seq, event.seq, stored_s, body, explanation)


def gap_of(from_seq: int, to_seq: int, stored_s: float, reason: str) -> Record:
    """The record that stands for the missing events from ``from_seq`` to ``to_seq``."""
    return Record(to_seq, from_seq, stored_s, reason=reason)


def payload(record: Record, node: str, *, replayed: bool) -> tuple[str, bytes]:
    """What is published of a record: its id and its JSON. ``replayed``: too late for the topic ``event``."""
    if record.gap:
        gap = Gap(
            id=f"{node}-gap-{record.from_seq:06d}-{record.seq:06d}",
            node=node,
            from_seq=record.from_seq,
            to_seq=record.seq,
            reason=record.reason,
        )
        return gap.id, msgspec.json.encode(gap)
    event = msgspec.json.decode(record.body, type=Event)
    explanation = None
    if record.explanation is not None:
        explanation = msgspec.json.decode(record.explanation, type=EventExplanation)
    return event.id, msgspec.json.encode(msgspec.structs.replace(event, explanation=explanation, replayed=replayed))
