"""The journal: every event is on disk before it is published anywhere, and leaves the disk once the broker has it."""

import contextlib
import logging
import math
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from edge import log
from edge.events.delivery import LATE_S, Delivery
from edge.events.event import Event
from edge.journal.high_water_mark import HighWaterMark
from edge.journal.records import Record, delivery, events_in, gap_of, merged, partition, record_of
from edge.journal.retention import Limits, excess
from edge.journal.store import SUFFIXES, DamagedError, Store, salvage

RETRY_S = 10.0  # between attempts to write to a disk that failed

_logger = logging.getLogger("affectd")


class Journal:
    """The one queue between hearing and the broker; any thread may call it.

    Its records, those on the disk and then those in memory, cover each number from the first that the broker does not
    have to the last that was given out exactly once, in order. A record is an event, or a gap: from which number to
    which, and why. What cannot be kept becomes a gap, the oldest first.

    Where the disk is full, read-only or gone the journal goes on from memory, and writes to the disk again as soon as
    that can be written. ``dropped`` counts the events that gaps stand for.
    """

    def __init__(
        self, folder: Path, node: str, limits: Limits | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._node = node
        self._limits = limits or Limits()
        self._path = folder / "journal.db"
        self._mark = HighWaterMark(folder / "journal.mark")
        self._lock = threading.Lock()
        self._store: Store | None = None
        self._memory: list[Record] = []  # behind those on the disk, or in their place
        self._room = self._limits.memory
        self._last, self._delivered = self._mark.read() or (0, 0)
        self._settled = 0  # what the database knows of it
        self._clock, self._began_s, self._retry_s = clock, 0.0, 0.0
        self._sweep_s = -math.inf  # when to look next for what is too old, on the journal's own clock
        self.degraded = False
        self.dropped = 0
        newest = 0.0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._store = self._opened()
            newest = self._store.newest_s
        except (OSError, sqlite3.Error) as error:
            self._degrade(error)
            self._read_copy()
        except DamagedError as error:
            self._rescue(error)
        newest = max([newest, *(record.stored_s for record in self._memory)])
        self._began_s = clock() - newest - 2 * LATE_S  # what an earlier run left behind is late
        self._flush()

    @property
    def depth(self) -> int:
        """How many records wait for the broker."""
        with self._lock:
            undeleted = self._delivered - self._settled if self.degraded else 0
            stored = self._store.count if self._store else 0
            return max(stored - undeleted, 0) + len(self._memory)

    @property
    def last(self) -> int:
        """The last number given out."""
        return self._last

    def accept(self, draft: Event) -> tuple[Event, bool]:
        """Number an event and keep it; returns it, and whether it is on disk or in memory only."""
        with self._lock:
            event = draft.numbered(self._last + 1)
            self._last += 1
            self._memory.append(record_of(event, self._now()))
            self._flush()
            return event, not self._memory

    def pending(self, after: int, count: int) -> list[Delivery]:
        """The first ``count`` messages behind number ``after``, in order, that the broker has not acknowledged."""
        with self._lock:
            late = self._now() - LATE_S
            return [
                delivery(record, self._node, replayed=record.stored_s < late)
                for record in self._read(max(after, self._delivered), count)
            ]

    def acknowledge(self, through: int) -> None:
        """The broker has everything through this number: it may leave the disk."""
        with self._lock:
            self._delivered = max(self._delivered, min(through, self._last))
            self._memory = [record.behind(through) for record in self._memory if record.seq > through]
            self._flush()

    def tick(self) -> None:
        """Try a disk that failed again, and drop what has grown too old."""
        with self._lock:
            self._flush()

    def close(self) -> None:
        """Write what is still in memory, if the disk allows, and give the files back."""
        with self._lock:
            self._retry_s = 0.0
            self._flush()
            if self._store is not None:
                self._store.close()
            self._mark.close()

    def _now(self) -> float:
        """Seconds on the journal's own clock, which wall clock jumps do not touch."""
        return self._clock() - self._began_s

    def _flush(self) -> None:
        """Bring the disk up to date, or keep the newest in memory."""
        if not self.degraded or self._clock() >= self._retry_s:
            try:
                self._write()
            except DamagedError as error:
                self._rescue(error)
                self._write_renewed()
            except (OSError, sqlite3.Error) as error:
                self._degrade(error)
        self._trim()

    def _write_renewed(self) -> None:
        """To the database that takes the place of a damaged one; a disk that damages this one, too, is left alone."""
        try:
            self._write()
        except (OSError, sqlite3.Error, DamagedError) as error:
            self._degrade(error)

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        store = self._store = self._store or self._opened()
        if self._memory:
            self._mark.write(self._last, self._delivered)
        if self._memory or self._delivered > self._settled:
            store.write(self._memory, self._delivered)
            if store.last < self._delivered:  # what only memory held has been delivered
                self._mark.write(self._last, self._delivered)
            self._settled = self._delivered
            self._memory = []
        self._room = self._limits.memory
        self._enforce_limits(store)
        if self.degraded:
            self.degraded = False
            _logger.info(log.line("journal", state="ok"))

    def _enforce_limits(self, store: Store) -> None:
        """Make gaps of what is beyond the bounds, oldest first; of what is too old, many events at once."""
        now, expired_before_s = self._now(), -math.inf
        if now >= self._sweep_s:
            expired_before_s = now - self._limits.age_s
            self._sweep_s = now + self._limits.sweep_s
        while due := excess(store.holdings(expired_before_s), self._limits):
            dropped = store.drop(due)
            self.dropped += dropped
            if dropped:
                _logger.warning(log.line("journal", dropped_events=dropped, reason=due.reason))

    def _read(self, after: int, count: int) -> list[Record]:
        stored: list[Record] = []
        if self._store is not None:
            try:
                stored = self._store.read(after, count)
            except DamagedError as error:
                self._rescue(error)
            except (OSError, sqlite3.Error) as error:
                self._degrade(error)
                return []  # what lies on the disk comes first, or the order would be lost
        kept = [record.behind(after) for record in self._memory if record.seq > after]
        return (stored + kept)[:count]

    def _trim(self) -> None:
        """Keep no more in memory than there is room for; the oldest become one gap."""
        beyond = len(self._memory) - self._room
        if beyond > 0:
            oldest = self._memory[: beyond + 1]
            self.dropped += events_in(oldest)
            self._memory = [merged(oldest, "memory"), *self._memory[beyond + 1 :]]

    def _degrade(self, error: Exception) -> None:
        self._retry_s = self._clock() + RETRY_S
        if not self.degraded:
            self.degraded = True
            denied = isinstance(error, PermissionError)
            todo = "let this user write there, or set state_directory" if denied else "make room on the disk"
            _logger.error(log.line("journal", state="degraded", error=str(error), kept="in memory", todo=todo))

    def _opened(self) -> Store:
        """The database, with a gap where its end is missing up to the records in memory. DamagedError: not sound."""
        store = Store(self._path)
        try:
            if self._memory and store.last > self._last:
                # Numbers were given out before the disk could be read, and are there already.
                self._memory.append(gap_of(self._last + 1, store.last, self._now(), "unreadable"))
                self._last = store.last
                raise DamagedError(f"it holds numbers up to {store.last} that were given out again")
            self._last = max(self._last, store.last)
            self._close_ranks(store)
        except BaseException:
            store.close()
            raise
        return store

    def _close_ranks(self, store: Store) -> None:
        """Numbers that were given out, and not kept: a crash between the two."""
        end = self._memory[0].from_seq - 1 if self._memory else self._last
        there = store.last if store.count else max(store.last, self._delivered)
        if there < end:
            store.write([gap_of(there + 1, end, store.newest_s, "interrupted")], 0)

    def _read_copy(self) -> None:
        """The disk can perhaps still be read: what it holds waits in memory, in its place."""
        rows, first = [gap_of(self._delivered + 1, self._last, 0.0, "unreadable")], self._delivered + 1
        with contextlib.suppress(OSError, sqlite3.Error), tempfile.TemporaryDirectory(prefix="affectd-") as scratch:
            copy = Path(scratch, self._path.name)
            for suffix in SUFFIXES:
                with contextlib.suppress(FileNotFoundError):
                    shutil.copy(f"{self._path}{suffix}", scratch)
            try:
                with contextlib.closing(Store(copy)) as store:
                    rows = store.read(0, store.count)
                    self._last = max(self._last, store.last)
                    first = rows[0].from_seq if rows else max(store.last, self._delivered) + 1
            except DamagedError:
                rows = salvage(copy)
        self._take_over(rows, first, "interrupted")

    def _rescue(self, error: DamagedError) -> None:
        """The database is damaged: move it aside, and take into memory what can be read of it."""
        if self._store is not None:
            self._store.close()
            self._store = None
        lost = self._take_over(salvage(self._path), self._delivered + 1, "damaged")
        try:
            for suffix in SUFFIXES:
                with contextlib.suppress(FileNotFoundError):
                    Path(f"{self._path}{suffix}").replace(f"{self._path.with_suffix('.damaged.db')}{suffix}")
            Path(f"{self._path}-shm").unlink(missing_ok=True)
        except OSError as failure:
            self._degrade(failure)
        _logger.error(
            log.line("journal", state="damaged", error=str(error), moved_to="journal.damaged.db", missing=lost)
        )

    def _take_over(self, rows: Sequence[Record], first: int, reason: str) -> int:
        """Put records in front of those in memory, from number ``first`` on; returns how many numbers none covers."""
        if not self._memory:
            self._last = max([self._last, *(record.seq for record in rows)])
        end = self._memory[0].from_seq - 1 if self._memory else self._last
        whole = partition(rows, first, end, reason)
        lost = sum(record.seq - record.from_seq + 1 for record in whole if record.gap and record not in rows)
        self.dropped += lost
        self._memory = [*whole, *self._memory]
        self._room = self._limits.memory + len(whole)
        return lost
