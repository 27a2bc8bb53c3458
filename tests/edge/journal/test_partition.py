"""The journal's one invariant, after any sequence of events: each number is there exactly once, in order."""

import json
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edge.events.delivery import Delivery
from edge.journal.journal import Journal
from edge.journal.retention import Limits
from tests.edge.events import draft

LIMITS = Limits(size=400_000, age_s=100.0, memory=5)


class Partition(RuleBasedStateMachine):
    """A journal, and what the broker and the log know of it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        self.seconds = 1000.0
        self.last = self.delivered = 0
        self.accepted_at: dict[int, float] = {}
        self.journal = self.opened()

    def opened(self) -> Journal:
        return Journal(self.folder, "kitchen", LIMITS, lambda: self.seconds)

    @rule(count=st.integers(1, 4), size=st.sampled_from([0, 1000, 30_000]))
    def accept(self, count: int, size: int) -> None:
        for _ in range(count):
            event, durable = self.journal.accept(draft(text="x" * size))
            assert durable
            self.last += 1
            self.accepted_at[event.seq] = self.seconds
            assert event.seq == self.last

    @rule(seconds=st.sampled_from([1.0, 60.0, 101.0, 300.0]))
    def wait(self, seconds: float) -> None:
        self.seconds += seconds

    @rule()
    def retain(self) -> None:
        """One call of the retention ends, and what is too old has become one gap."""
        self.journal.tick()
        old = [seq for seq, at in self.accepted_at.items() if seq > self.delivered and self.seconds - at > LIMITS.age_s]
        kept = {body["seq"] for body in self.waiting() if body["event_type"] != "gap"}
        assert not kept & set(old)

    @precondition(lambda self: self.last > self.delivered)
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        """Through any number sent: also one that has become part of a gap while it was on its way."""
        self.delivered = data.draw(st.integers(self.delivered + 1, self.last))
        self.journal.acknowledge(self.delivered)

    @rule(crash=st.booleans())
    def restart(self, crash: bool) -> None:
        if crash:
            copy = self.folder.with_name(f"{self.folder.name}-copy")
            shutil.copytree(self.folder, copy)
            self.journal.close()
            shutil.rmtree(self.folder)
            copy.rename(self.folder)
        else:
            self.journal.close()
        self.journal = self.opened()
        self.accepted_at = {}  # the journal's clock stands still while nobody runs it

    @rule(after=st.integers(0, 10), count=st.integers(1, 3))
    def read_on(self, after: int, count: int) -> None:
        """From any number on, what is named begins right behind it."""
        after = min(max(after, self.delivered), self.last)
        numbers = covered([json.loads(found.payload) for found in self.journal.pending(after, count)])
        assert numbers == list(range(after + 1, after + 1 + len(numbers)))

    def waiting(self) -> list[dict[str, object]]:
        found: list[Delivery] = []
        while batch := self.journal.pending(found[-1].seq if found else 0, 7):
            found += batch
        assert len(found) == self.journal.depth
        return [json.loads(delivery.payload) for delivery in found]

    @invariant()
    def each_number_once(self) -> None:
        assert covered(self.waiting()) == list(range(self.delivered + 1, self.last + 1))
        assert not self.journal.degraded

    def teardown(self) -> None:
        self.journal.close()
        shutil.rmtree(self.folder)


def covered(bodies: list[dict[str, object]]) -> list[int]:
    """The numbers of events, and those that gaps name."""
    return [
        seq
        for body in bodies
        for seq in range(int(body.get("from_seq", body.get("seq"))), int(body.get("to_seq", body.get("seq"))) + 1)
    ]


Partition.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestPartition = Partition.TestCase
