"""What is done to a store's file before anything is written to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from analyte.contract.errors import AnalyteError, IntegrityError, OutputError
from analyte.runtime.store import migration
from analyte.runtime.store.chain import GENESIS, Kind, link
from analyte.runtime.store.connecting import (
    connect_to_write,
    in_words,
    pragma,
    refuse_damaged,
    refuse_foreign,
    refuse_newer,
)
from analyte.runtime.store.heads import Head
from analyte.runtime.store.schema import STORE_SCHEMA

ALWAYS_CHECKED_BYTES = 200_000_000
"""Stores up to this size are checked whole at every start: 1.5 ms per megabyte, measured on x86. A larger one
only after it was not closed cleanly, so that a year of readings does not hold up the first one of the day."""
CHECKED_ROWS = 2000
"""Rows at the chain's end whose hashes are computed again at every start; ``analyte log verify`` does all."""

_ROWS = """
SELECT sequence, 'reading', hash, json FROM readings WHERE sequence > :after
UNION ALL SELECT sequence, 'event', hash, json FROM events WHERE sequence > :after
ORDER BY sequence
"""


def open_file(
    path: Path, event: migration.MakeEvent, report: Callable[[str], None], *, check_pages: bool = True
) -> sqlite3.Connection:
    """Open a store for writing, or make it; bring one of an older schema up to date.

    ``check_pages``: False leaves out what reads the whole file.

    Raises: IntegrityError for a foreign or damaged file, OutputError otherwise.
    """
    check = check_pages and _is_to_be_checked(path)
    connection = connect_to_write(path)
    try:
        _prepare(connection, path, event, report, check=check)
    except sqlite3.Error as error:
        connection.close()
        raise in_words(error, path) from error
    except AnalyteError:
        connection.close()
        raise
    return connection


def _is_to_be_checked(path: Path) -> bool:
    """Whether to read the whole file; asked before SQLite opens it and makes a log of its own."""
    log = path.with_name(path.name + "-wal")
    try:
        left_open = log.is_file() and log.stat().st_size > 0
        return left_open or path.stat().st_size <= ALWAYS_CHECKED_BYTES
    except OSError:
        return True


def _prepare(
    connection: sqlite3.Connection,
    path: Path,
    event: migration.MakeEvent,
    report: Callable[[str], None],
    *,
    check: bool,
) -> None:
    """Check that the file is a sound store of ours, or make it one; set how it is written."""
    application = pragma(connection, "application_id")
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    # A crash right after creation leaves a database with nothing in it: that is still ours to fill.
    is_new = application == 0 and tables == 0
    if not is_new:
        refuse_foreign(application, path)
        refuse_newer(pragma(connection, "user_version"), path)
        if check:
            refuse_damaged(connection, path)
    mode = pragma(connection, "journal_mode = WAL")
    if mode != "wal":
        raise OutputError(
            "SQLite cannot keep a write-ahead log there",
            where=path,
            got=f"journal mode {mode}",
            fix="Choose a local file system",
        )
    connection.execute("PRAGMA synchronous = FULL")
    if is_new:
        migration.create(connection)
    elif pragma(connection, "user_version") != STORE_SCHEMA:
        report(f"{path}: brings the store up to date; this may take minutes")
        migration.migrate(connection, path, event)


def check_end(connection: sqlite3.Connection, path: Path, head: Head | None) -> None:
    """Compute the last rows' hashes again, and look whether the chain reaches the last head.

    Raises: IntegrityError.
    """
    last = connection.execute(
        "SELECT max(coalesce((SELECT max(sequence) FROM readings), 0),"
        " coalesce((SELECT max(sequence) FROM events), 0))"
    ).fetchone()[0]
    if head is not None and head.sequence > last:
        raise _altered(
            path, f"a chain that ends at {last}", f"a chain as far as its last head, {head.sequence}"
        )
    deleted = connection.execute("SELECT coalesce(max(up_to), 0) FROM retention").fetchone()[0]
    after = max(0, last - CHECKED_ROWS, deleted)
    previous: bytes | None = GENESIS if after == 0 else None
    expected = after
    for sequence, kind, hash_, text in connection.execute(_ROWS, {"after": after}):
        expected += 1
        if sequence != expected:
            raise _altered(path, f"no row {expected}", "rows without a gap")
        if previous is not None and link(previous, sequence, Kind(kind), text.encode()) != hash_:
            raise _altered(path, f"another row {sequence} than the one that was stored", "what was stored")
        if head is not None and sequence == head.sequence and hash_.hex() != head.hash:
            raise _altered(path, f"another row {sequence} than its head says", head.hash)
        previous = hash_


def _altered(path: Path, got: object, expected: object) -> IntegrityError:
    return IntegrityError(
        "the store was altered",
        where=path,
        expected=expected,
        got=got,
        fix="Keep it with its .heads file, look with 'analyte log verify', and choose another --store",
    )
