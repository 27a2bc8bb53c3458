"""The journal's database: SQLite in WAL mode, where what has been committed outlasts a power cut."""

import contextlib
import os
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from edge.journal.records import Record, gap_of
from edge.journal.retention import Holdings, Relief, joined

SUFFIXES = ("", "-wal")  # of the files that make up the database
_WAL_PAGES = 64  # after so many the log is written back, and starts over
_CORRUPT, _NOT_A_DATABASE = 11, 26  # SQLITE_CORRUPT, SQLITE_NOTADB

_SCHEMA = """
CREATE TABLE IF NOT EXISTS records(
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    from_seq INTEGER NOT NULL, stored_s REAL NOT NULL,
    reason TEXT NOT NULL, body BLOB NOT NULL, checksum INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS explanations(seq INTEGER PRIMARY KEY, body BLOB NOT NULL, checksum INTEGER NOT NULL);
"""
_SELECT = """
SELECT seq, from_seq, stored_s, reason, records.body, records.checksum, explanations.body, explanations.checksum
FROM records LEFT JOIN explanations USING (seq)
"""
_EXPIRED = "SELECT count(*) FROM (SELECT stored_s FROM records ORDER BY seq LIMIT 1000) WHERE stored_s < ?"


class DamagedError(Exception):
    """The database does not hold what was written to it."""


class Store:
    """Records in order of their numbers. Raises sqlite3.Error when the disk fails, DamagedError when it lied."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=1.0)
        try:
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")  # no shared memory file, which a full disk would break
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute(f"PRAGMA wal_autocheckpoint={_WAL_PAGES}")
            self._page_size: int = self._one("PRAGMA page_size")
            self._db.execute(f"PRAGMA journal_size_limit={_WAL_PAGES * self._page_size}")
            if self._db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                raise DamagedError("quick_check fails")
            self._db.executescript(_SCHEMA)
            self._records = sum(1 for _ in self._rows(_SELECT + "ORDER BY seq"))  # looks at every checksum once
            self._explanations = self._one("SELECT count(*) FROM explanations")
            _synchronise(path.parent)
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise _told_apart(error) from error
        except BaseException:
            self._db.close()
            raise

    @property
    def last(self) -> int:
        """The highest number ever stored, also when its record is gone; 0 at the beginning."""
        try:
            return int(self._one("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'records'"))
        except sqlite3.DatabaseError as error:
            raise _told_apart(error) from error

    @property
    def count(self) -> int:
        """How many records there are."""
        return self._records

    @property
    def newest_s(self) -> float:
        """When the last record was accepted, 0 where there is none."""
        with self._reading():
            return float(self._one("SELECT coalesce(max(stored_s), 0.0) FROM records"))

    def keys(self) -> list[tuple[int, bool]]:
        """Number and kind (gap or not) of every record."""
        with self._reading():
            return [(seq, bool(reason)) for seq, reason in self._db.execute("SELECT seq, reason FROM records")]

    def read(self, after: int, count: int) -> list[Record]:
        """The first ``count`` records behind number ``after``."""
        return list(self._rows(_SELECT + "WHERE seq > ? ORDER BY seq LIMIT ?", after, count))

    def write(self, add: Iterable[Record] = (), remove: Iterable[tuple[int, bool]] = ()) -> None:
        """Add records and remove those with the given number and kind (gap or not), durably, all or nothing."""
        with self._transaction():
            for seq, gap in remove:
                self._remove("seq = ? AND (reason <> '') = ?", seq, gap)
            for record in add:
                self._insert(record)

    def holdings(self, stored_before_s: float) -> Holdings:
        """What there is, counting as expired what was stored before the given time."""
        with self._reading():
            pages = self._one("PRAGMA page_count") - self._one("PRAGMA freelist_count") + _WAL_PAGES
            return Holdings(
                size=pages * self._page_size,
                records=self._records,
                explanations=self._explanations,
                expired=self._one(_EXPIRED, stored_before_s),
            )

    def relieve(self, relief: Relief, now_s: float) -> int:
        """Drop what ``relief`` says, leaving one gap record for the records; returns how many events went."""
        with self._transaction():
            self._explanations -= self._db.execute(
                "DELETE FROM explanations WHERE seq IN (SELECT seq FROM explanations ORDER BY seq LIMIT ?)",
                (relief.explanations,),
            ).rowcount
            oldest = list(self._rows(_SELECT + "ORDER BY seq LIMIT ?", relief.records))
            if not oldest:
                return 0
            last = oldest[-1].seq
            self._remove("seq <= ?", last)
            reason = joined([relief.reason, *(record.reason for record in oldest)])
            self._insert(gap_of(oldest[0].from_seq, last, now_s, reason))
            return sum(not record.gap for record in oldest)

    def close(self) -> None:
        with contextlib.suppress(sqlite3.Error):  # a disk that fails has been reported already
            self._db.close()

    def _insert(self, record: Record) -> None:
        # Or ignored: a commit whose acknowledgement failed may have reached the disk all the same.
        self._records += self._db.execute(
            "INSERT OR IGNORE INTO records VALUES (?, ?, ?, ?, ?, ?)",
            (record.seq, record.from_seq, record.stored_s, record.reason, record.body, record.checksum()),
        ).rowcount
        if record.explanation is not None:
            self._explanations += self._db.execute(
                "INSERT OR IGNORE INTO explanations VALUES (?, ?, ?)",
                (record.seq, record.explanation, zlib.crc32(record.explanation)),
            ).rowcount

    def _remove(self, condition: str, *values: object) -> None:
        explained = f"DELETE FROM explanations WHERE seq IN (SELECT seq FROM records WHERE {condition})"  # noqa: S608
        self._explanations -= self._db.execute(explained, values).rowcount
        self._records -= self._db.execute(f"DELETE FROM records WHERE {condition}", values).rowcount  # noqa: S608

    def _rows(self, query: str, *values: object) -> Iterator[Record]:
        with self._reading():
            for row in self._db.execute(query, values):
                yield _checked(row)

    def _one(self, query: str, *values: object) -> int:
        (value,) = self._db.execute(query, values).fetchone()
        return value  # type: ignore[no-any-return]

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise _told_apart(error) from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        counts = self._records, self._explanations
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except BaseException as error:
            self._records, self._explanations = counts
            if self._db.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
            if isinstance(error, sqlite3.DatabaseError):
                raise _told_apart(error) from error
            raise


def salvage(path: Path) -> list[Record]:
    """Every record of a damaged database that can still be read and has its checksum, from both of its ends."""
    found: dict[int, Record] = {}
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(path)) as database:
        for order in ("ASC", "DESC"):
            with contextlib.suppress(sqlite3.Error):
                for row in database.execute(f"{_SELECT} ORDER BY seq {order}"):
                    with contextlib.suppress(DamagedError):
                        record = _checked(row)
                        found[record.seq] = record
    return [found[seq] for seq in sorted(found)]


def _checked(row: tuple[int, int, float, str, bytes, int, bytes | None, int | None]) -> Record:
    seq, from_seq, stored_s, reason, body, checksum, explanation, explanation_checksum = row
    try:
        if explanation is not None and zlib.crc32(explanation) != explanation_checksum:
            explanation = None  # the event is worth more than its explanation
        record = Record(seq, from_seq, stored_s, body, explanation, reason)
        sound = record.checksum() == checksum and isinstance(stored_s, float)
    except (TypeError, AttributeError):  # a column of another type than was written
        sound = False
    if not sound:
        raise DamagedError(f"record {seq} has a wrong checksum")
    return record


def _told_apart(error: sqlite3.DatabaseError) -> Exception:
    """DamagedError where the file is damaged; the error itself where the disk is full, read-only or failing."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    # A query that the schema does not fit is damage too: nobody else writes this schema.
    damaged = code in (_CORRUPT, _NOT_A_DATABASE) or type(error) in (sqlite3.DatabaseError, sqlite3.NotSupportedError)
    return DamagedError(str(error)) if damaged or "no such" in str(error) else error


def _synchronise(folder: Path) -> None:
    """Make the names of new files outlast a power cut (fsync(2), notes)."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
