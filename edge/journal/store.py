"""The journal's database: SQLite in WAL mode, where what has been committed outlasts a power cut."""

import contextlib
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from edge.files import sync_folder
from edge.journal.records import Record, events_in, merged
from edge.journal.retention import Excess, Holdings

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
_FIRST_BEHIND = "WHERE seq > ? ORDER BY seq LIMIT 1"


class DamagedError(Exception):
    """The database does not hold what was written to it."""


class Store:
    """Records in order of their numbers, of which each begins where the one before it ends.

    Raises sqlite3.Error when the disk fails, DamagedError when it does not hold what was written.
    """

    def __init__(self, path: Path) -> None:
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
            self._records = self._checked_count()
            self._explanations = self._one("SELECT count(*) FROM explanations")
            sync_folder(path.parent)
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise _told_apart(error) from error
        except BaseException:
            self._db.close()
            raise

    @property
    def last(self) -> int:
        """The highest number ever stored, also when its record is gone; 0 at the beginning."""
        with self._reading():
            return int(self._one("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'records'"))

    @property
    def count(self) -> int:
        """How many records there are."""
        return self._records

    @property
    def newest_s(self) -> float:
        """When the last record was accepted, 0 where there is none."""
        with self._reading():
            return float(self._one("SELECT coalesce(max(stored_s), 0.0) FROM records"))

    def read(self, after: int, count: int) -> list[Record]:
        """The first ``count`` records behind number ``after``; of a gap that begins before it, what is behind it."""
        found = self._rows(_SELECT + "WHERE seq > ? ORDER BY seq LIMIT ?", after, count)
        return [record.behind(after) for record in found]

    def write(self, records: Sequence[Record], delivered: int) -> None:
        """Bring the database up to date, durably, all or nothing.

        ``records`` take the place of whatever is stored from the first of them on; what is stored through the number
        ``delivered`` goes.
        """
        with self._transaction():
            if records:
                self._remove("seq >= ?", records[0].from_seq)
            torn = [record for record in self._rows(_SELECT + _FIRST_BEHIND, delivered) if record.from_seq <= delivered]
            self._remove("seq <= ?", torn[0].seq if torn else delivered)
            rest = [record.behind(delivered) for record in torn]
            for record in [*rest, *records]:
                self._insert(record)

    def holdings(self, expired_before_s: float) -> Holdings:
        """What there is, counting as expired what was accepted before the given time."""
        with self._reading():
            pages = self._one("PRAGMA page_count") - self._one("PRAGMA freelist_count") + _WAL_PAGES
            leading_gap, expired = False, 0
            oldest = self._db.execute(
                "SELECT reason <> '', stored_s < ? FROM records ORDER BY seq", (expired_before_s,)
            )
            for place, (gap, old) in enumerate(oldest):
                if place == 0 and gap:
                    leading_gap = True
                elif old:
                    expired += 1
                else:
                    break
            return Holdings(pages * self._page_size, self._records, self._explanations, leading_gap, expired)

    def drop(self, excess: Excess) -> int:
        """Drop the oldest explanations, or make one gap of the oldest records; returns how many events went."""
        with self._transaction():
            self._explanations -= self._db.execute(
                "DELETE FROM explanations WHERE seq IN (SELECT seq FROM explanations ORDER BY seq LIMIT ?)",
                (excess.explanations,),
            ).rowcount
            oldest = self.read(0, excess.records)
            if oldest:
                self._remove("seq <= ?", oldest[-1].seq)
                self._insert(merged(oldest, excess.reason))
            return events_in(oldest)

    def close(self) -> None:
        """Give the files back; what was written is durable already."""
        with contextlib.suppress(sqlite3.Error):  # a disk that fails has been reported already
            self._db.close()

    def _checked_count(self) -> int:
        """How many records there are, after a look at each: its checksum, and whether it follows the one before it."""
        count, end = 0, None
        for record in self._rows(_SELECT + "ORDER BY seq"):
            if end is not None and record.from_seq != end + 1:
                raise DamagedError(f"record {record.seq} does not follow record {end}")
            count, end = count + 1, record.seq
        return count

    def _insert(self, record: Record) -> None:
        self._db.execute(
            "INSERT INTO records(seq, from_seq, stored_s, reason, body, checksum) VALUES (?, ?, ?, ?, ?, ?)",
            (record.seq, record.from_seq, record.stored_s, record.reason, record.body, record.checksum()),
        )
        self._records += 1
        if record.explanation is not None:
            self._db.execute(
                "INSERT OR REPLACE INTO explanations(seq, body, checksum) VALUES (?, ?, ?)",
                (record.seq, record.explanation, zlib.crc32(record.explanation)),
            )
            self._explanations += 1

    def _remove(self, condition: str, *values: object) -> None:
        explained = f"DELETE FROM explanations WHERE seq IN (SELECT seq FROM records WHERE {condition})"  # noqa: S608
        self._explanations -= self._db.execute(explained, values).rowcount
        self._records -= self._db.execute(f"DELETE FROM records WHERE {condition}", values).rowcount  # noqa: S608

    def _rows(self, query: str, *values: object) -> Iterator[Record]:
        with self._reading():
            for row in self._db.execute(query, values):
                yield _checked(row)

    def _one(self, query: str, *values: object) -> int:
        """The one value that a query finds."""
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
    lied = type(error) in (sqlite3.DatabaseError, sqlite3.NotSupportedError, sqlite3.IntegrityError)
    # A query that the schema does not fit is damage too, or another version's: nobody else writes this schema.
    misfit = any(words in str(error) for words in ("no such", "column"))
    return DamagedError(str(error)) if code in (_CORRUPT, _NOT_A_DATABASE) or lied or misfit else error
