"""What the journal is made of: an event, or a gap that says which events are missing and why."""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import msgspec

from edge.events.delivery import Delivery
from edge.events.event import Event, Gap

# Where the two values stand that are known only when an event is sent. In a string of JSON every quote has a backslash
# before it, so that these can be found nowhere but at the keys of the event itself.
_NO_EXPLANATION = b'"explanation":null'
_NOT_REPLAYED = b'"replayed":false'


@dataclass(frozen=True)
class Record:
    """One place in the journal: an event, or the gap from ``from_seq`` to ``seq``.

    ``stored_s`` is when it was accepted, in seconds on the journal's own clock, which only runs while the daemon does.
    """

    seq: int
    from_seq: int
    stored_s: float
    body: bytes = b""
    """The event's JSON with ``"explanation":null``; empty for a gap."""
    explanation: bytes | None = None
    reason: str = ""
    """Why there is a gap; empty for an event."""

    @property
    def gap(self) -> bool:
        """Whether it stands for events that are missing."""
        return bool(self.reason)

    def checksum(self) -> int:
        """CRC-32 of all but the explanation, which has its own and can be lost alone."""
        head = f"{self.seq} {self.from_seq} {self.reason} ".encode()
        return zlib.crc32(self.body, zlib.crc32(head))

    def behind(self, seq: int) -> "Record":
        """The part of it that lies behind the number ``seq``, which is below its own."""
        return self if self.from_seq > seq else replace(self, from_seq=seq + 1)


class _Identity(msgspec.Struct, frozen=True):
    """All that is read of an event on its way to the broker."""

    id: str


def record_of(event: Event, stored_s: float) -> Record:
    """The record of an event just heard."""
    body = msgspec.json.encode(msgspec.structs.replace(event, explanation=None))
    explanation = None if event.explanation is None else msgspec.json.encode(event.explanation)
    return Record(event.seq, event.seq, stored_s, body, explanation)


def gap_of(from_seq: int, to_seq: int, stored_s: float, reason: str) -> Record:
    """The record that stands for the missing events from ``from_seq`` to ``to_seq``."""
    return Record(to_seq, from_seq, stored_s, reason=reason)


def merged(oldest: Sequence[Record], reason: str) -> Record:
    """The one gap that takes the place of records that follow one another, and keeps the reasons of gaps among them."""
    reasons = {part for record in oldest if record.gap for part in record.reason.split(", ")} | {reason}
    return gap_of(oldest[0].from_seq, oldest[-1].seq, oldest[-1].stored_s, ", ".join(sorted(reasons)))


def events_in(records: Iterable[Record]) -> int:
    """How many of the records are events."""
    return sum(not record.gap for record in records)


def partition(found: Iterable[Record], first: int, last: int, reason: str) -> list[Record]:
    """Records that cover each number from ``first`` to ``last`` exactly once, in order.

    They are those of ``found``, in ascending order of their numbers, as far as they do not overlap; a gap for
    ``reason`` stands for each number that none of them covers.
    """
    records: list[Record] = []
    expected = first
    for record in found:
        if expected <= record.seq <= last:
            if record.from_seq > expected:
                records.append(gap_of(expected, record.from_seq - 1, record.stored_s, reason))
            records.append(record.behind(expected - 1))
            expected = record.seq + 1
    if expected <= last:
        records.append(gap_of(expected, last, records[-1].stored_s if records else 0.0, reason))
    return records


def delivery(record: Record, node: str, *, replayed: bool) -> Delivery:
    """What is sent of a record. ``replayed``: it is too late for the topic ``event``.

    The stored bytes are sent as they are, but for the explanation, which is put back, and ``replayed``. The bytes of
    another version, in which neither has its place, are sent unchanged.
    """
    if record.gap:
        gap = Gap(
            id=f"{node}-gap-{record.from_seq:06d}-{record.seq:06d}",
            node=node,
            from_seq=record.from_seq,
            to_seq=record.seq,
            reason=record.reason,
        )
        return Delivery(record.seq, gap.id, msgspec.json.encode(gap))
    body = record.body
    if record.explanation is not None:
        body = body.replace(_NO_EXPLANATION, b'"explanation":' + record.explanation, 1)
    if replayed:
        body = body.replace(_NOT_REPLAYED, b'"replayed":true', 1)
    return Delivery(record.seq, _id_of(record, node), body)


def _id_of(record: Record, node: str) -> str:
    try:
        return msgspec.json.decode(record.body, type=_Identity).id
    except (msgspec.MsgspecError, UnicodeDecodeError):  # of another version: its number names it
        return f"{node}-{record.seq:06d}"
