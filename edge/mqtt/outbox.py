"""What goes to the broker next: the greeting, then what is live, then, in order, what the journal holds."""

import collections
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from edge.events.delivery import Delivery
from edge.mqtt.refusals import Refusals
from edge.mqtt.topics import Message

QUEUED = 1000  # live messages that may wait; the journal waits on disk
SETTLED_S = 2.0  # an acknowledgement is final once the connection has lasted so long: brokers acknowledge, then save
LOOK_AGAIN_S = 10.0  # how often an idle connection asks the journal by itself


class Backlog(Protocol):
    """What waits for the broker and survives us: the journal."""

    def pending(self, after: int, count: int) -> list[Delivery]:
        """The first ``count`` behind number ``after``."""

    def acknowledge(self, through: int) -> None:
        """The broker has everything through this number."""


@dataclass(frozen=True)
class Sendable:
    """A message, and its number where it is one of the journal's."""

    message: Message
    seq: int | None = None


class Outbox:
    """Three places: the latest message of each retained topic, a queue of live messages, the journal's cursor.

    Retained messages of an earlier connection are never sent: each connection begins with the latest of each topic.
    Taken from by the connection's thread alone; ``keep``, ``say`` and ``journal_grown`` may be called from any.
    """

    def __init__(self, backlog: Backlog, envelope: Callable[[Delivery], Message], refusals: Refusals) -> None:
        self._backlog = backlog
        self._envelope = envelope
        self._refusals = refusals
        self._lock = threading.Lock()  # guards what follows it
        self._connected = False
        self._retained: dict[str, Message] = {}  # in the order in which the topics first appeared
        self._greeting: collections.deque[Message] = collections.deque()
        self._live: collections.deque[tuple[Message, float]] = collections.deque()
        self.expired = 0  # live messages that waited too long, or were too many
        # The journal's, used by the connection's thread alone.
        self._cursor = 0
        self._acknowledged_at: dict[int, float | None] = {}  # in order of their numbers; None: in flight
        self._look_at = 0.0  # when to ask the journal next

    def begin(self) -> None:
        """A new connection: everything that was not settled on the last one is sent again. ``greet`` comes next."""
        self.rewind()
        with self._lock:
            self._connected = True

    def end(self) -> None:
        """The connection is over."""
        with self._lock:
            self._connected = False

    def greet(self, online: Message) -> None:
        """Say the latest of each retained topic, then ``online``, before anything else."""
        with self._lock:
            self._live = collections.deque(entry for entry in self._live if not entry[0].retain)
            self._greeting = collections.deque([*self._retained.values(), online])

    def keep(self, message: Message) -> None:
        """The latest of a retained topic: said now where there is a connection, and on each one that follows."""
        with self._lock:
            self._retained[message.topic] = message
            if self._connected:
                self._append(message)

    def say(self, message: Message) -> None:
        """Something live, once."""
        with self._lock:
            self._append(message)

    def journal_grown(self) -> None:
        """The journal has grown."""
        self._look_at = 0.0

    def rewind(self) -> None:
        """Send what the journal holds from its beginning on."""
        self._acknowledged_at.clear()
        self._cursor, self._look_at = 0, 0.0

    def take(self, room: int) -> list[Sendable]:
        """Up to ``room`` messages to send now, without those of topics that the broker refuses."""
        with self._lock:
            while self._greeting:
                message = self._greeting.popleft()
                if self._refusals.allows(message.topic):
                    return [Sendable(message)]
            while self._live:
                message, queued = self._live.popleft()
                late = message.max_age_s is not None and time.monotonic() - queued > message.max_age_s
                self.expired += late
                if not late and self._refusals.allows(message.topic):
                    return [Sendable(message)]
        return self._take_from_journal(room)

    def acknowledged(self, seq: int) -> None:
        """The broker has this one of the journal's."""
        if seq in self._acknowledged_at:
            self._acknowledged_at[seq] = time.monotonic()

    def settle(self, lasted_s: float = SETTLED_S) -> None:
        """Tell the journal what the broker acknowledged so long ago, as far as nothing before it is in flight."""
        until = time.monotonic() - lasted_s
        through = 0
        for seq, at in self._acknowledged_at.items():
            if at is None or at > until:
                break
            through = seq
        if through:
            self._acknowledged_at = {seq: at for seq, at in self._acknowledged_at.items() if seq > through}
            self._backlog.acknowledge(through)

    @property
    def live(self) -> bool:
        """Whether something other than the journal waits."""
        with self._lock:
            return bool(self._live or self._greeting)

    def _take_from_journal(self, room: int) -> list[Sendable]:
        if time.monotonic() < self._look_at:
            return []
        self._look_at = time.monotonic() + LOOK_AGAIN_S
        found = [
            Sendable(self._envelope(delivery), delivery.seq) for delivery in self._backlog.pending(self._cursor, room)
        ]
        if not found or not self._refusals.allows(found[0].message.topic):
            return []
        if len(found) == room:
            self._look_at = 0.0
        for sendable in found:
            self._cursor = sendable.seq or self._cursor
            self._acknowledged_at[self._cursor] = None
        return found

    def _append(self, message: Message) -> None:
        """Where there is no room, the oldest makes it, unless it is how things are now."""
        while len(self._live) >= QUEUED:
            oldest, queued = self._live.popleft()
            if oldest.retain and self._retained.get(oldest.topic) is oldest and oldest.topic != message.topic:
                self._live.append((oldest, queued))
            else:
                self.expired += not oldest.retain
        self._live.append((message, time.monotonic()))
