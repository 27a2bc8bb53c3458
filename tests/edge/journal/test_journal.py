"""The journal's promise: on disk before it is published, in order, nothing missing that no gap record names."""

import contextlib
import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from edge.events.delivery import LATE_S, Delivery
from edge.journal.journal import RETRY_S, Journal
from edge.journal.retention import Limits
from tests.edge.events import event


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """In memory where there is such a place: what is tested here is not how long a disk takes."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


class Clock:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def journal(folder: Path, limits: Limits | None = None, clock: Clock | None = None) -> Journal:
    return Journal(folder, "kitchen", limits, clock or Clock())


def drained(source: Journal) -> list[Delivery]:
    """Everything that waits, in order, read as a connection reads it."""
    found: list[Delivery] = []
    while batch := source.pending(found[-1].seq if found else 0, 7):
        found += batch
    return found


def spans(deliveries: list[Delivery]) -> Iterator[tuple[int, int]]:
    for delivery in deliveries:
        payload = json.loads(delivery.payload)
        yield (payload["from_seq"], payload["to_seq"]) if delivery.key[1] else (payload["seq"], payload["seq"])


def covered(deliveries: list[Delivery]) -> list[int]:
    """The sequence numbers received, or named by a gap."""
    return [seq for first, last in spans(deliveries) for seq in range(first, last + 1)]


def test_events_come_back_in_order_with_their_explanation(tmp_path: Path) -> None:
    kept = journal(tmp_path)
    for _ in range(20):
        assert kept.accept(event)[1]
    received = drained(kept)
    assert [delivery.seq for delivery in received] == list(range(1, 21))
    assert json.loads(received[4].payload) == json.loads(msgspec.json.encode(event(5)))


def test_what_the_broker_has_leaves_the_disk_and_the_rest_stays(tmp_path: Path) -> None:
    kept = journal(tmp_path)
    for _ in range(5):
        kept.accept(event)
    kept.acknowledge([(1, False), (3, False)])
    kept.close()
    again = journal(tmp_path)
    assert [delivery.seq for delivery in drained(again)] == [2, 4, 5]
    assert again.depth == 3


def test_numbers_go_on_after_a_restart_also_when_all_was_delivered(tmp_path: Path) -> None:
    kept = journal(tmp_path)
    for _ in range(5):
        kept.accept(event)
    kept.acknowledge((seq, False) for seq in range(1, 6))
    kept.close()
    assert journal(tmp_path).accept(event)[0].seq == 6


def test_what_waited_too_long_for_the_live_topic_says_so(tmp_path: Path) -> None:
    clock = Clock()
    kept = journal(tmp_path, clock=clock)
    kept.accept(event)
    clock.seconds += LATE_S + 1
    kept.accept(event)
    assert [json.loads(delivery.payload)["replayed"] for delivery in drained(kept)] == [True, False]


def test_what_an_earlier_run_left_is_replayed(tmp_path: Path) -> None:
    kept = journal(tmp_path)
    kept.accept(event)
    kept.close()
    clock = Clock()
    again = journal(tmp_path, clock=clock)
    clock.seconds += 1
    assert json.loads(drained(again)[0].payload)["replayed"] is True


def test_within_its_bound_the_oldest_go_first_and_explanations_before_events(tmp_path: Path) -> None:
    limits = Limits(size=1 << 20)
    kept = journal(tmp_path, limits)
    count = 900
    sizes = []
    for _ in range(count):
        kept.accept(lambda seq: event(seq, text="x" * 1500))
        sizes.append(sum(path.stat().st_size for path in tmp_path.iterdir()))
    received = drained(kept)
    assert covered(received) == list(range(1, count + 1))
    gaps = [json.loads(delivery.payload) for delivery in received if delivery.key[1]]
    assert [gap["reason"] for gap in gaps] == ["space"]
    assert gaps[0]["to_seq"] - gaps[0]["from_seq"] + 1 == kept.dropped
    explained = [json.loads(delivery.payload).get("explanation") is not None for delivery in received]
    assert explained == sorted(explained)
    assert explained.count(True) < len(explained) - 1
    assert max(sizes) <= 1.1 * limits.size


def test_what_is_older_than_the_bound_becomes_a_gap(tmp_path: Path) -> None:
    clock = Clock()
    kept = journal(tmp_path, Limits(age_s=100), clock)
    for _ in range(3):
        kept.accept(event)
    clock.seconds += 101
    kept.accept(event)
    assert list(spans(drained(kept))) == [(1, 3), (4, 4)]
    kept.tick()
    assert list(spans(drained(kept))) == [(1, 3), (4, 4)]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.decode()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill_up(disk: Path) -> Path:
    filler = disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(b"\0" * 4096):
            pass
    return filler


def test_a_full_disk_costs_nothing_but_memory_and_recovers_by_itself(small_disk: Path) -> None:
    clock = Clock()
    kept = journal(small_disk, clock=clock)
    kept.accept(event)
    filler = fill_up(small_disk)
    states = [kept.accept(lambda seq: event(seq, text="x" * 5000))[1] for _ in range(100)]
    assert kept.degraded
    assert not states[-1]
    assert covered(drained(kept)) == list(range(1, 102))
    filler.unlink()
    clock.seconds += RETRY_S + 1
    kept.tick()
    assert not kept.degraded
    kept.close()
    assert covered(drained(journal(small_disk))) == list(range(1, 102))


def test_a_disk_full_for_too_long_leaves_a_gap_and_says_so(small_disk: Path) -> None:
    clock = Clock()
    kept = journal(small_disk, Limits(memory=10), clock)
    fill_up(small_disk)
    for _ in range(200):
        kept.accept(lambda seq: event(seq, text="x" * 5000))
    received = drained(kept)
    assert covered(received) == list(range(1, 201))
    (gap,) = [json.loads(delivery.payload) for delivery in received if delivery.key[1]]
    assert gap["reason"] == "memory"
    assert gap["to_seq"] - gap["from_seq"] + 1 == kept.dropped


def test_a_disk_that_turns_read_only_is_read_on_and_written_when_it_can_be(small_disk: Path) -> None:
    clock = Clock()
    kept = journal(small_disk, clock=clock)
    for _ in range(3):
        kept.accept(event)
    kept.close()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    kept = journal(small_disk, clock=clock)
    assert kept.degraded
    assert not kept.accept(event)[1]
    assert covered(drained(kept)) == [1, 2, 3, 4]
    kept.acknowledge([(1, False), (4, False)])
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    clock.seconds += RETRY_S + 1
    assert kept.accept(event)[1]
    kept.close()
    assert covered(drained(journal(small_disk))) == [2, 3, 5]


def filled(folder: Path) -> Path:
    """A journal of 60 events, the first 20 of them delivered, as a crash leaves it."""
    source = folder / "source"
    kept = journal(source)
    for _ in range(60):
        kept.accept(event)
        if kept.last == 40:
            kept.acknowledge((seq, False) for seq in range(1, 21))
    crashed = folder / "crashed"
    shutil.copytree(source, crashed)
    kept.close()
    return crashed


def assert_nothing_is_lost_silently(folder: Path) -> None:
    kept = journal(folder)
    accepted, durable = kept.accept(event)
    assert accepted.seq >= 61
    assert durable
    received = drained(kept)
    assert set(range(21, accepted.seq + 1)) <= set(covered(received))
    for delivery in received:
        if not delivery.key[1]:
            expected = json.loads(msgspec.json.encode(event(delivery.seq)))
            found = json.loads(delivery.payload)
            assert {**found, "replayed": False, "explanation": None} == {**expected, "explanation": None}
    kept.close()


FILES = ("journal.db", "journal.db-wal", "journal.mark")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("seed", range(12))
def test_flipped_bytes_are_found_and_named(tmp_path: Path, name: str, seed: int) -> None:
    crashed = filled(tmp_path)
    chance = random.Random(seed)
    content = bytearray((crashed / name).read_bytes())
    for _ in range(chance.choice([1, 1, 4, 64])):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    (crashed / name).write_bytes(content)
    assert_nothing_is_lost_silently(crashed)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("keep", [0.0, 0.1, 0.5, 0.9])
def test_a_truncated_file_is_found_and_named(tmp_path: Path, name: str, keep: float) -> None:
    crashed = filled(tmp_path)
    os.truncate(crashed / name, int((crashed / name).stat().st_size * keep))
    assert_nothing_is_lost_silently(crashed)


def test_a_database_overwritten_with_nonsense_is_moved_aside(tmp_path: Path) -> None:
    crashed = filled(tmp_path)
    for name in ("journal.db", "journal.db-wal"):
        (crashed / name).write_bytes(os.urandom(50_000))
    assert_nothing_is_lost_silently(crashed)
    assert (crashed / "journal.damaged.db").exists()


def test_damage_while_running_is_survived(tmp_path: Path) -> None:
    kept = journal(tmp_path, Limits(size=64 << 20))
    for _ in range(120):
        kept.accept(event)
    (tmp_path / "journal.db").write_bytes(os.urandom((tmp_path / "journal.db").stat().st_size))
    (tmp_path / "journal.db-wal").write_bytes(b"")
    for _ in range(120):
        kept.accept(event)
    kept.close()
    received = drained(journal(tmp_path))
    assert set(range(1, 241)) <= set(covered(received))


def test_acknowledging_a_gap_leaves_the_event_of_its_number_alone(tmp_path: Path) -> None:
    kept = journal(tmp_path)
    kept.accept(event)
    kept.acknowledge([(1, True)])
    assert [delivery.key for delivery in drained(kept)] == [(1, False)]


def test_nothing_is_written_while_nothing_is_said(tmp_path: Path) -> None:
    clock = Clock()
    kept = journal(tmp_path, clock=clock)
    kept.accept(event)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    for _ in range(100):
        clock.seconds += 60
        kept.tick()
        kept.pending(0, 16)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


WRITER = """
import sys
from pathlib import Path
from edge.journal.journal import Journal
from tests.edge.events import event
journal = Journal(Path(sys.argv[1]), "kitchen")
while True:
    accepted, durable = journal.accept(event)
    assert durable
    print(accepted.seq, flush=True)
    if accepted.seq % 3 == 0:
        journal.acknowledge((delivery.key for delivery in journal.pending(0, 1)))
"""


@pytest.mark.parametrize(
    "kills",
    [pytest.param(8, id="8"), pytest.param(200, id="200", marks=[pytest.mark.faults, pytest.mark.timeout(1500)])],
)
def test_a_killed_writer_loses_nothing_that_it_accepted(tmp_path: Path, kills: int) -> None:
    """Every number printed is on disk, and no number is given out twice."""
    root = Path(__file__).parents[3]
    chance = random.Random(1)
    highest = 0
    for _ in range(kills):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=root
        )
        assert writer.stdout is not None
        numbers = [int(line) for line in itertools.islice(writer.stdout, chance.randrange(1, 60))]
        writer.kill()
        numbers += [int(line) for line in writer.stdout if line.endswith("\n")]
        writer.wait()
        assert numbers[0] > highest
        highest = numbers[-1]
    kept = journal(tmp_path)
    received = covered(drained(kept))
    assert received == sorted(set(received))
    assert received[-1] >= highest
    assert received == list(range(received[0], received[-1] + 1))
