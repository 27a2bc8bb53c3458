"""The journal: every event is on disk before it is published anywhere, and leaves the disk once the broker has it."""

import contextlib
import logging
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from edge import log
from edge.events.delivery import LATE_S, Delivery
from edge.events.event import Event
from edge.journal.high_water_mark import Mark
from edge.journal.records import Record, gap_of, payload, record_of
from edge.journal.retention import Limits, joined, missing, relief
from edge.journal.store import SUFFIXES, DamagedError, Store, salvage

RETRY_S = 10.0  # between attempts to write to a disk that failed

_logger = logging.getLogger("affectd")


class Journal:
    """The one queue between hearing and the broker; any thread may call it.

    Where the disk is full, read-only or gone it goes on from memory, and writes to the disk again as soon as that can
    be written. ``dropped`` counts events that it could not keep; each is named by a gap record.
    """

    def __init__(
        self, folder: Path, node: str, limits: Limits | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._node = node
        self._limits = limits or Limits()
        self._path = folder / "journal.db"
        self._mark = Mark(folder / "journal.mark")
        self._lock = threading.RLock()
        self._memory: dict[int, Record] = {}  # accepted while the disk could not be written, in order
        self._room = self._limits.memory
        self._owed: set[tuple[int, bool]] = set()  # acknowledged, but not yet removed from the disk
        self._store: Store | None = None
        self._retry_s = 0.0
        self._clock, self._began_s = clock, clock()
        self.degraded = False
        self.dropped = 0
        last, self._delivered = self._mark.read() or (0, 0)
        self._last = last
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._store = self._opened()
            newest = self._store.newest_s
        except (OSError, sqlite3.Error) as error:
            self._degrade(error)
            self._remember()
            newest = max((record.stored_s for record in self._memory.values()), default=0.0)
        self._began_s -= newest + 2 * LATE_S  # what an earlier run left behind is late

    @property
    def depth(self) -> int:
        """How many records wait for the broker."""
        with self._lock:
            stored = self._store.count if self._store else 0
            return max(stored - len(self._owed), 0) + len(self._memory)

    @property
    def last(self) -> int:
        """The last number given out."""
        return self._last

    def accept(self, build: Callable[[int], Event]) -> tuple[Event, bool]:
        """Number an event and keep it; returns it, and whether it is on disk or in memory only."""
        with self._lock:
            seq = self._last + 1
            event = build(seq)
            self._last = seq
            self._memory[seq] = record_of(event, self._now())
            durable = self._flush() or self._flush()  # the second time after a damaged database has been replaced
            if not durable:
                self._trim()
            return event, durable

    def pending(self, after: int, count: int) -> list[Delivery]:
        """The first ``count`` messages behind number ``after``, in order, that the broker has not acknowledged."""
        with self._lock:
            late = self._now() - LATE_S
            return [
                Delivery((record.seq, record.gap), *payload(record, self._node, replayed=record.stored_s < late))
                for record in self._read(after, count)
            ]

    def acknowledge(self, keys: Iterable[tuple[int, bool]]) -> None:
        """The broker has these: they may leave the disk."""
        with self._lock:
            for seq, gap in keys:
                if seq in self._memory and self._memory[seq].gap == gap:
                    del self._memory[seq]
                else:
                    self._owed.add((seq, gap))
            self._flush()

    def tick(self) -> None:
        """Try a disk that failed again, and drop what has grown too old."""
        with self._lock:
            self._flush()

    def close(self) -> None:
        with self._lock:
            self._retry_s = 0.0
            self._flush()
            if self._store is not None:
                self._store.close()
            self._mark.close()

    def _now(self) -> float:
        """Seconds on the journal's own clock, which wall clock jumps do not touch."""
        return self._clock() - self._began_s

    def _flush(self) -> bool:
        """Bring the disk up to date; returns whether it is."""
        if self.degraded and self._clock() < self._retry_s:
            return False
        try:
            oldest = self._read(0, 1)
            store = self._store or self._reopened()
            if self._memory:
                self._delivered = oldest[0].from_seq - 1 if oldest else self._delivered
                self._mark.write(self._last, self._delivered)
            if self._memory or self._owed:
                store.write(self._memory.values(), remove=self._owed)
                self._memory.clear()
                self._owed.clear()
            self._room = self._limits.memory
            self._relieve(store)
        except (OSError, sqlite3.Error) as error:
            self._degrade(error)
            return False
        except DamagedError as error:
            self._rescue(error)
            return False
        if self.degraded:
            self.degraded = False
            _logger.info(log.line("journal", state="ok"))
        return True

    def _reopened(self) -> Store:
        """The database, after it could not be opened: what it holds and memory does not, the broker has."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        store = self._store = self._opened()
        waiting = {(record.seq, record.gap) for record in self._memory.values()}
        self._owed = set(store.keys()) - waiting
        return store

    def _relieve(self, store: Store) -> None:
        """Drop what is beyond the bounds, oldest first."""
        while due := relief(store.holdings(self._now() - self._limits.age_s), self._limits):
            dropped = store.relieve(due, self._now())
            self.dropped += dropped
            if due.records:
                _logger.warning(log.line("journal", dropped_events=dropped, reason=due.reason))

    def _read(self, after: int, count: int) -> list[Record]:
        stored: list[Record] = []
        if self._store is not None:
            try:
                stored = self._store.read(after, count + len(self._owed))
            except DamagedError as error:
                self._rescue(error)
                return self._read(after, count)
            except (OSError, sqlite3.Error) as error:
                self._degrade(error)
                return []  # what lies on the disk comes first, or the order would be lost
        stored = [record for record in stored if (record.seq, record.gap) not in self._owed]
        kept = [record for seq, record in self._memory.items() if seq > after]
        return (stored + kept)[:count]

    def _trim(self) -> None:
        """Keep no more in memory than there is room for; the oldest become one gap."""
        while len(self._memory) > self._room:
            (_, first), (seq, second), *_ = self._memory.items()
            self.dropped += (not first.gap) + (not second.gap)
            reason = joined(["memory", first.reason, second.reason])
            gap = gap_of(first.from_seq, seq, self._now(), reason)
            rest = {number: record for number, record in self._memory.items() if number > seq}
            self._memory = {seq: gap, **rest}

    def _degrade(self, error: Exception) -> None:
        self._retry_s = self._clock() + RETRY_S
        if not self.degraded:
            self.degraded = True
            denied = isinstance(error, PermissionError)
            todo = "let this user write there, or set state_directory" if denied else "make room on the disk"
            _logger.error(log.line("journal", state="degraded", error=str(error), kept="in memory", todo=todo))

    def _remember(self) -> None:
        """The disk can perhaps still be read: what it holds waits in memory."""
        with contextlib.suppress(OSError, sqlite3.Error), tempfile.TemporaryDirectory(prefix="affectd-") as scratch:
            for suffix in SUFFIXES:
                with contextlib.suppress(FileNotFoundError):
                    shutil.copy(f"{self._path}{suffix}", scratch)
            if (copy := Path(scratch, self._path.name)).exists():
                self._memory = {record.seq: record for record in salvage(copy)}
        self._room = self._limits.memory + len(self._memory)
        self._last = max([self._last, *self._memory])

    def _rescue(self, error: Exception) -> None:
        """The open database is damaged: carry what can be read over to a new one."""
        if self._store is not None:
            self._store.close()
            self._store = None
        try:
            self._store = self._renewed(error)
        except (OSError, sqlite3.Error, DamagedError) as failure:
            self._degrade(failure)

    def _opened(self) -> Store:
        """The database, sound: a damaged one is moved aside, and a lost tail becomes a gap."""
        try:
            store = Store(self._path)
            stored = store.last
        except DamagedError as error:
            return self._renewed(error)
        if stored < self._last and not self.degraded:
            # The number was given out and the event was not kept: a crash between the two, or a damaged log.
            store.write([gap_of(stored + 1, self._last, self._now(), "interrupted")])
        self._last = max(stored, self._last)
        return store

    def _renewed(self, error: Exception) -> Store:
        """A new database with what can be read of the damaged one, and gaps for what cannot."""
        salvaged = salvage(self._path)
        for suffix in SUFFIXES:
            with contextlib.suppress(FileNotFoundError):
                Path(f"{self._path}{suffix}").replace(f"{self._path.with_suffix('.damaged.db')}{suffix}")
        Path(f"{self._path}-shm").unlink(missing_ok=True)
        store = Store(self._path)
        self._last = max([self._last, *(record.seq for record in salvaged)])
        held = [(record.from_seq, record.seq) for record in [*salvaged, *self._memory.values()]]
        gaps = [
            gap_of(first, last, self._now(), "damaged")
            for first, last in missing(held, self._delivered + 1, self._last)
        ]
        store.write(salvaged + gaps)
        lost = sum(gap.seq - gap.from_seq + 1 for gap in gaps)
        self.dropped += lost
        _logger.error(
            log.line("journal", state="damaged", error=str(error), moved_to="journal.damaged.db", missing=lost)
        )
        return store
