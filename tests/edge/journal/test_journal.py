"""The journal's promise: on disk before it is published, in order, nothing missing that no gap record names."""

import contextlib
import itertools
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from edge.events.delivery import LATE_S, Delivery
from edge.journal.journal import RETRY_S, Journal
from edge.journal.retention import Limits
from tests.edge.events import draft, event


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


def is_gap(delivery: Delivery) -> bool:
    return bool(json.loads(delivery.payload)["event_type"] == "gap")


def spans(deliveries: list[Delivery]) -> Iterator[tuple[int, int]]:
    for delivery in deliveries:
        payload = json.loads(delivery.payload)
        yield (payload["from_seq"], payload["to_seq"]) if is_gap(delivery) else (payload["seq"], payload["seq"])


def covered(deliveries: list[Delivery]) -> list[int]:
    """The sequence numbers received, or named by a gap."""
    return [seq for first, last in spans(deliveries) for seq in range(first, last + 1)]


def test_events_come_back_in_order_with_their_explanation(tmp_path: Path) -> None:
    kept = journal(tmp_path)
    for _ in range(20):
        assert kept.accept(draft())[1]
    received = drained(kept)
    assert [delivery.seq for delivery in received] == list(range(1, 21))
    assert json.loads(received[4].payload) == json.loads(msgspec.json.encode(event(5)))


def test_what_the_broker_has_leaves_the_disk_and_the_rest_stays(tmp_path: Path) -> None:
    kept = journal(tmp_path)
    for _ in range(5):
        kept.accept(draft())
    kept.acknowledge(2)
    kept.close()
    again = journal(tmp_path)
    assert [delivery.seq for delivery in drained(again)] == [3, 4, 5]
    assert again.depth == 3


def test_numbers_go_on_after_a_restart_also_when_all_was_delivered(tmp_path: Path) -> None:
    kept = journal(tmp_path)
    for _ in range(5):
        kept.accept(draft())
    kept.acknowledge(5)
    kept.close()
    assert journal(tmp_path).accept(draft())[0].seq == 6


def test_what_waited_too_long_for_the_live_topic_says_so(tmp_path: Path) -> None:
    clock = Clock()
    kept = journal(tmp_path, clock=clock)
    kept.accept(draft())
    clock.seconds += LATE_S + 1
    kept.accept(draft())
    assert [json.loads(delivery.payload)["replayed"] for delivery in drained(kept)] == [True, False]


def test_what_an_earlier_run_left_is_replayed(tmp_path: Path) -> None:
    kept = journal(tmp_path)
    kept.accept(draft())
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
        kept.accept(draft(text="x" * 1500))
        sizes.append(sum(path.stat().st_size for path in tmp_path.iterdir()))
    received = drained(kept)
    assert covered(received) == list(range(1, count + 1))
    gaps = [json.loads(delivery.payload) for delivery in received if is_gap(delivery)]
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
        kept.accept(draft())
    clock.seconds += 101
    kept.accept(draft())
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
    kept.accept(draft())
    filler = fill_up(small_disk)
    states = [kept.accept(draft(text="x" * 5000))[1] for _ in range(100)]
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
        kept.accept(draft(text="x" * 5000))
    received = drained(kept)
    assert covered(received) == list(range(1, 201))
    (gap,) = [json.loads(delivery.payload) for delivery in received if is_gap(delivery)]
    assert gap["reason"] == "memory"
    assert gap["to_seq"] - gap["from_seq"] + 1 == kept.dropped


def test_a_disk_that_turns_read_only_is_read_on_and_written_when_it_can_be(small_disk: Path) -> None:
    clock = Clock()
    kept = journal(small_disk, clock=clock)
    for _ in range(3):
        kept.accept(draft())
    kept.close()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    kept = journal(small_disk, clock=clock)
    assert kept.degraded
    assert not kept.accept(draft())[1]
    assert covered(drained(kept)) == [1, 2, 3, 4]
    kept.acknowledge(2)
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    clock.seconds += RETRY_S + 1
    assert kept.accept(draft())[1]
    kept.close()
    assert covered(drained(journal(small_disk))) == [3, 4, 5]


def test_a_journal_that_nobody_reads_keeps_accepting_and_names_what_went(tmp_path: Path) -> None:
    """The broker is away for three times the bound, with restarts in between."""
    clock = Clock()
    kept = journal(tmp_path, Limits(age_s=100), clock)
    for minute in range(30):
        kept.accept(draft())
        clock.seconds += 10
        kept.tick()
        if minute % 7 == 6:
            kept.close()
            kept = journal(tmp_path, Limits(age_s=100), clock)
    first, *events = drained(kept)
    gap = json.loads(first.payload)
    assert (gap["event_type"], gap["from_seq"], gap["reason"]) == ("gap", 1, "age")
    assert [json.loads(event.payload)["seq"] for event in events] == list(range(gap["to_seq"] + 1, 31))
    assert 0 < len(events) <= 21


VERSION_0 = """
CREATE TABLE records(
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    from_seq INTEGER NOT NULL, stored_s REAL NOT NULL,
    reason TEXT NOT NULL, body BLOB NOT NULL, checksum INTEGER NOT NULL
);
CREATE TABLE explanations(seq INTEGER PRIMARY KEY, body BLOB NOT NULL, checksum INTEGER NOT NULL);
"""


def left_behind(folder: Path, bodies: dict[int, bytes], gap_to: int = 0, *, explained: bool = True) -> None:
    """A journal as the version before this one left it: a gap, then events."""
    with contextlib.closing(sqlite3.connect(folder / "journal.db")) as database, database:
        database.executescript(VERSION_0)
        if gap_to:
            checksum = zlib.crc32(f"{gap_to} 1 age ".encode())
            database.execute("INSERT INTO records VALUES (?, 1, 5000.0, 'age', x'', ?)", (gap_to, checksum))
        for seq, body in bodies.items():
            checksum = zlib.crc32(body, zlib.crc32(f"{seq} {seq}  ".encode()))
            database.execute("INSERT INTO records VALUES (?, ?, 60.0, '', ?, ?)", (seq, seq, body, checksum))
            if explained:
                explanation = msgspec.json.encode(event(seq).explanation)
                database.execute(
                    "INSERT INTO explanations VALUES (?, ?, ?)", (seq, explanation, zlib.crc32(explanation))
                )


def test_the_journal_of_the_version_before_is_taken_over(tmp_path: Path) -> None:
    bodies = {seq: msgspec.json.encode(msgspec.structs.replace(event(seq), explanation=None)) for seq in range(3, 6)}
    left_behind(tmp_path, bodies, gap_to=2)
    kept = journal(tmp_path)
    assert kept.accept(draft())[0].seq == 6
    gap, *events = drained(kept)
    assert (json.loads(gap.payload)["from_seq"], json.loads(gap.payload)["to_seq"]) == (1, 2)
    for found, seq in zip(events[:-1], range(3, 6), strict=True):
        expected = msgspec.structs.replace(event(seq), replayed=True)
        assert (found.id, found.payload) == (expected.id, msgspec.json.encode(expected))


@pytest.mark.parametrize(
    "body",
    [
        b'{"schema":9,"id":"kitchen-9","emotion":{"of":"tomorrow"},"explanation":null,"replayed":false}',
        b'{"schema":9}',
        b"no JSON",
        b'{"id":7',
        b"\xff\xfe",
        b"",
    ],
)
def test_a_record_of_another_version_is_sent_as_it_is(tmp_path: Path, body: bytes) -> None:
    left_behind(tmp_path, {1: body}, explained=False)
    kept = journal(tmp_path)
    (found,) = kept.pending(0, 9)
    assert found.payload == body.replace(b'"replayed":false', b'"replayed":true')
    assert found.id == ("kitchen-9" if b"kitchen-9" in body else "kitchen-000001")
    kept.acknowledge(1)
    assert kept.accept(draft())[0].seq == 2
    assert covered(drained(kept)) == [2]


def test_a_table_of_another_version_is_moved_aside_and_named(tmp_path: Path) -> None:
    kept = journal(tmp_path)
    for _ in range(4):
        kept.accept(draft())
    kept.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "journal.db")) as database, database:
        database.execute("ALTER TABLE records RENAME COLUMN body TO content")
    again = journal(tmp_path)
    assert again.accept(draft())[1]
    assert list(spans(drained(again))) == [(1, 4), (5, 5)]
    assert (tmp_path / "journal.damaged.db").exists()


def test_what_is_sent_is_what_was_stored_but_for_the_explanation_and_replayed(tmp_path: Path) -> None:
    clock = Clock()
    kept = journal(tmp_path, clock=clock)
    text = ' "explanation":null "replayed":false'
    accepted, _ = kept.accept(draft(text=text))
    assert kept.pending(0, 1)[0].payload == msgspec.json.encode(accepted)
    clock.seconds += LATE_S + 1
    late = msgspec.structs.replace(accepted, replayed=True)
    assert kept.pending(0, 1)[0].payload == msgspec.json.encode(late)


def test_events_that_became_part_of_a_gap_on_their_way_are_not_named_by_it(tmp_path: Path) -> None:
    clock = Clock()
    kept = journal(tmp_path, Limits(age_s=100), clock)
    for _ in range(8):
        kept.accept(draft())
    assert len(kept.pending(0, 5)) == 5
    clock.seconds += 101
    kept.tick()
    assert list(spans(kept.pending(5, 5))) == [(6, 8)]
    kept.acknowledge(5)
    assert list(spans(kept.pending(0, 5))) == [(6, 8)]
    kept.close()
    assert list(spans(drained(journal(tmp_path)))) == [(6, 8)]


def test_numbers_given_out_before_the_disk_could_be_read_are_not_given_out_again(tmp_path: Path) -> None:
    clock = Clock()
    folder = tmp_path / "state"
    kept = journal(folder)
    for _ in range(5):
        kept.accept(draft())
    kept.close()
    (folder / "journal.mark").unlink()
    folder.rename(tmp_path / "away")
    folder.touch()  # no folder can be made here
    blind = journal(folder, clock=clock)
    assert blind.degraded
    assert [blind.accept(draft())[0].seq for _ in range(2)] == [1, 2]
    folder.unlink()
    (tmp_path / "away").rename(folder)
    clock.seconds += RETRY_S + 1
    assert blind.accept(draft())[1]
    assert blind.accept(draft())[0].seq == 6
    assert list(spans(drained(blind))) == [(1, 1), (2, 2), (3, 3), (4, 5), (6, 6)]


def test_events_on_a_disk_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    clock = Clock()
    kept = journal(tmp_path)
    for _ in range(5):
        kept.accept(draft())
    kept.close()
    (tmp_path / "journal.db").rename(tmp_path / "elsewhere")
    (tmp_path / "journal.db").mkdir()
    blind = journal(tmp_path, clock=clock)
    assert blind.degraded
    assert blind.accept(draft())[0].seq == 6
    assert list(spans(drained(blind))) == [(1, 5), (6, 6)]
    assert json.loads(blind.pending(0, 1)[0].payload)["reason"] == "unreadable"


def filled(folder: Path) -> Path:
    """A journal of 60 events, the first 20 of them delivered, as a crash leaves it."""
    source = folder / "source"
    kept = journal(source)
    for _ in range(60):
        kept.accept(draft())
        if kept.last == 40:
            kept.acknowledge(20)
    crashed = folder / "crashed"
    shutil.copytree(source, crashed)
    kept.close()
    return crashed


def assert_nothing_is_lost_silently(folder: Path) -> None:
    kept = journal(folder)
    accepted, durable = kept.accept(draft())
    assert accepted.seq >= 61
    assert durable
    received = drained(kept)
    assert set(range(21, accepted.seq + 1)) <= set(covered(received))
    for delivery in received:
        if not is_gap(delivery):
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
        kept.accept(draft())
    (tmp_path / "journal.db").write_bytes(os.urandom((tmp_path / "journal.db").stat().st_size))
    (tmp_path / "journal.db-wal").write_bytes(b"")
    for _ in range(120):
        kept.accept(draft())
    kept.close()
    received = drained(journal(tmp_path))
    assert set(range(1, 241)) <= set(covered(received))


def test_nothing_is_written_while_nothing_is_said(tmp_path: Path) -> None:
    clock = Clock()
    kept = journal(tmp_path, clock=clock)
    kept.accept(draft())
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    for _ in range(100):
        clock.seconds += 60
        kept.tick()
        kept.pending(0, 16)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


WRITER = """
import sys
import zlib
from pathlib import Path
from edge.journal.journal import Journal
from tests.edge.events import draft
journal = Journal(Path(sys.argv[1]), "kitchen")
while True:
    accepted, durable = journal.accept(draft())
    assert durable
    print(accepted.seq, flush=True)
    if accepted.seq % 3 == 0:
        journal.acknowledge(journal.pending(0, 1)[0].seq)
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


def test_a_steady_outage_costs_one_sweep_a_minute_not_one_for_each_event(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    now = [0.0]
    kept = Journal(tmp_path, "kitchen", Limits(age_s=3600.0), clock=lambda: now[0])
    caplog.set_level("WARNING", logger="affectd")
    for _ in range(1440):  # every 5 s, two hours long
        now[0] += 5
        kept.accept(draft())
    lines = [record.message for record in caplog.records if "reason=age" in record.message]
    assert 50 <= len(lines) <= 62
    gap, *events = list(spans(drained(kept)))
    assert (gap[0], events[-1]) == (1, (1440, 1440))
    assert events == [(seq, seq) for seq in range(gap[1] + 1, 1441)]
    assert kept.dropped == gap[1]
    assert sum(int(line.split("dropped_events=")[1].split()[0]) for line in lines) == gap[1]
