"""The store: every reading, refused ones included, on disk before anybody is told of it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from analyte.contract.errors import AnalyteError, IntegrityError, OutputError
from analyte.contract.reading import Reading

APPLICATION_ID = int.from_bytes(b"anly", "big")
"""In the header of the file: tells our stores from any other SQLite database."""
STORE_SCHEMA = 2
ALWAYS_CHECKED_BYTES = 200_000_000
"""Stores up to this size are checked whole at every start: 1.5 ms per megabyte, measured on x86. A larger one
only after it was not closed cleanly, so that a year of readings does not hold up the first one of the day."""

_CREATE = f"""
BEGIN IMMEDIATE;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {STORE_SCHEMA};
CREATE TABLE readings (
    sequence INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    captured_at TEXT NOT NULL,
    value REAL CHECK (value IS NULL OR NOT refused),
    unit TEXT NOT NULL,
    refused INTEGER NOT NULL CHECK (refused IN (0, 1)),
    reason TEXT CHECK ((reason IS NOT NULL) = refused),
    bundle TEXT NOT NULL,
    json TEXT NOT NULL
) STRICT;
CREATE INDEX readings_captured_at ON readings (captured_at);
CREATE TRIGGER readings_no_update BEFORE UPDATE ON readings
BEGIN SELECT RAISE(ABORT, 'readings are append-only'); END;
CREATE TRIGGER readings_no_delete BEFORE DELETE ON readings
BEGIN SELECT RAISE(ABORT, 'readings are append-only'); END;
COMMIT;
"""
_INSERT = """
INSERT INTO readings (id, captured_at, value, unit, refused, reason, bundle, json)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""


class SqliteStore:
    """Readings in a SQLite file: WAL, every commit synced to the disk, append-only."""

    def __init__(self, path: Path) -> None:
        """Open or create. Raises: IntegrityError for a foreign or damaged file, OutputError otherwise."""
        self._path = path
        self._connection: sqlite3.Connection | None = None
        check = _is_to_be_checked(path)
        try:
            # Absolute: ":memory:" must not mean memory. Opened in one thread, written in another, and closed
            # in the first after the second has ended.
            connection = sqlite3.connect(
                path.absolute(), isolation_level=None, timeout=5.0, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise _in_words(error, path) from error
        try:
            _prepare(connection, path, check=check)
        except sqlite3.Error as error:
            connection.close()
            raise _in_words(error, path) from error
        except AnalyteError:
            connection.close()
            raise
        self._connection = connection

    def append(self, readings: Sequence[Reading]) -> None:
        """Keep readings in one transaction; see `Store.append`."""
        if self._connection is None:
            raise OutputError("the store is closed", where=self._path)
        try:
            with _transaction(self._connection):
                self._connection.executemany(_INSERT, map(_row, readings))
        except sqlite3.Error as error:
            raise _in_words(error, self._path) from error

    def close(self) -> None:
        """Close the file; SQLite folds the WAL into it."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _row(reading: Reading) -> tuple[object, ...]:
    return (
        reading.id,
        reading.captured_at,
        reading.value,
        reading.unit,
        int(reading.refused),
        None if reading.reason is None else str(reading.reason),
        reading.bundle,
        reading.to_json(),
    )


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _is_to_be_checked(path: Path) -> bool:
    """Whether to read the whole file; asked before SQLite opens it and makes a log of its own."""
    log = path.with_name(path.name + "-wal")
    try:
        left_open = log.is_file() and log.stat().st_size > 0
        return left_open or path.stat().st_size <= ALWAYS_CHECKED_BYTES
    except OSError:
        return True


def _prepare(connection: sqlite3.Connection, path: Path, *, check: bool) -> None:
    """Check that the file is a sound store of ours, or make it one; set how it is written."""
    application = _pragma(connection, "application_id")
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    # A crash right after creation leaves a database with nothing in it: that is still ours to fill.
    is_new = application == 0 and tables == 0
    if not is_new:
        _refuse_foreign(connection, application, path)
        if check:
            _refuse_damaged(connection, path)
    mode = _pragma(connection, "journal_mode = WAL")
    if mode != "wal":
        raise OutputError(
            "SQLite cannot keep a write-ahead log there",
            where=path,
            got=f"journal mode {mode}",
            fix="Choose a local file system",
        )
    connection.execute("PRAGMA synchronous = FULL")
    if is_new:
        connection.executescript(_CREATE)


def _refuse_foreign(connection: sqlite3.Connection, application: object, path: Path) -> None:
    if application != APPLICATION_ID:
        raise IntegrityError(
            "an SQLite database of another program",
            where=path,
            expected="a store of analyte, or no file",
            fix="Choose another --store",
        )
    version = _pragma(connection, "user_version")
    if version != STORE_SCHEMA:
        raise IntegrityError(
            "a store of another version of analyte",
            where=path,
            expected=f"schema {STORE_SCHEMA}",
            got=version,
            fix="Choose another --store, or update analyte",
        )


def _refuse_damaged(connection: sqlite3.Connection, path: Path) -> None:
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise IntegrityError(
            "the store is damaged",
            where=path,
            got=found,
            fix="Keep the file, choose another --store, and restore readings with: sqlite3 FILE .recover",
        )


def _pragma(connection: sqlite3.Connection, text: str) -> object:
    return connection.execute(f"PRAGMA {text}").fetchone()[0]


def _in_words(error: sqlite3.Error, path: Path) -> AnalyteError:
    code = getattr(error, "sqlite_errorcode", None)
    # Extended codes hold the primary one in their low byte.
    primary = code & 0xFF if isinstance(code, int) else None
    if primary == sqlite3.SQLITE_FULL:
        return OutputError("the disk is full", where=path, fix="Free some space and run again")
    if primary in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return IntegrityError(
            "not a store of analyte, or damaged", where=path, got=error, fix="Choose another --store"
        )
    if primary == sqlite3.SQLITE_BUSY:
        return OutputError("another program holds the store", where=path, got=error, fix="Stop it")
    if primary in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return OutputError(
            "the store cannot be opened for writing",
            where=path,
            got=error,
            fix="Make its folder, and let this user write there",
        )
    return OutputError("the store cannot be written", where=path, got=error)
