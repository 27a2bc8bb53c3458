"""What goes to the broker next: the greeting, then what is live, then, in order, what the journal holds."""

import collections
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from edge.events.delivery import Delivery
from edge.mqtt.topics import Message

QUEUED = 1000  # live messages that may wait; the journal waits on disk
SETTLED_S = 2.0  # an acknowledgement counts once the broker has outlived it: it may die before its own disk has it
LOOK_AGAIN_S = 10.0  # how often an idle connection asks the journal, in case a gap has turned up behind it

Key = tuple[int, bool]


class Backlog(Protocol):
    """What waits for the broker and survives us: the journal."""

    def pending(self, after: int, count: int) -> list[Delivery]: ...

    def acknowledge(self, keys: Iterable[Key]) -> None: ...


class Outbox:
    """Taken from by the connection's thread alone; ``add`` and ``look`` may be called from any."""

    def __init__(self, backlog: Backlog, envelope: Callable[[Delivery], Message]) -> None:
        self._backlog = backlog
        self._envelope = envelope
        self._greeting: collections.deque[Message] = collections.deque()
        self._live: collections.deque[tuple[Message, float]] = collections.deque()
        self._acknowledged: collections.deque[tuple[Key, float]] = collections.deque()
        self._taken_through = 0  # of the journal, on this connection
        self._look_at = 0.0  # when to ask the journal next
        self.expired = 0  # live messages that waited too long, or were too many

    def begin(self, greeting: Iterable[Message]) -> None:
        """A new connection: what was not settled on the last one is sent again."""
        self._acknowledged.clear()
        self._taken_through, self._look_at = 0, 0.0
        self.greet(greeting)

    def greet(self, greeting: Iterable[Message]) -> None:
        """Say these before anything else."""
        self._greeting = collections.deque(greeting)

    def add(self, message: Message) -> None:
        """Something live; where there is no room, the oldest makes it."""
        if len(self._live) >= QUEUED:
            self._live.popleft()
            self.expired += 1
        self._live.append((message, time.monotonic()))

    def look(self) -> None:
        """The journal has grown."""
        self._look_at = 0.0

    def take(self, room: int, *, in_flight: bool) -> list[tuple[Message, Key | None]]:
        """Up to ``room`` messages to send now, those of the journal with their key."""
        if self._greeting:
            return [(self._greeting.popleft(), None)]
        while self._live:
            message, queued = self._live.popleft()
            if message.max_age_s is None or time.monotonic() - queued <= message.max_age_s:
                return [(message, None)]
            self.expired += 1
        if time.monotonic() < self._look_at:
            return []
        self._look_at = time.monotonic() + LOOK_AGAIN_S
        if not in_flight and not self._acknowledged:
            self._taken_through = 0
        deliveries = self._backlog.pending(self._taken_through, room)
        if len(deliveries) == room:
            self._look_at = 0.0
        self._taken_through = max([self._taken_through, *(delivery.seq for delivery in deliveries)])
        return [(self._envelope(delivery), delivery.key) for delivery in deliveries]

    def acknowledged(self, key: Key) -> None:
        """The broker has this one."""
        self._acknowledged.append((key, time.monotonic()))

    def settle(self, outlived_s: float = SETTLED_S) -> None:
        """Tell the journal what the broker acknowledged, and has outlived for so long."""
        until = time.monotonic() - outlived_s
        settled = []
        while self._acknowledged and self._acknowledged[0][1] <= until:
            settled.append(self._acknowledged.popleft()[0])
        if settled:
            self._backlog.acknowledge(settled)

    @property
    def live(self) -> bool:
        """Whether something live waits."""
        return bool(self._live or self._greeting)
