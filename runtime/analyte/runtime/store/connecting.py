"""Opening the database of a store, and SQLite's errors in words."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from analyte.contract.errors import AnalyteError, InputError, IntegrityError, OutputError
from analyte.runtime.store.schema import APPLICATION_ID, STORE_SCHEMA

BUSY_S = 10.0
"""How long to wait for another program's transaction, seconds."""
_NOT_ALLOWED = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM)


def connect_to_write(path: Path) -> sqlite3.Connection:
    """Open or create a file. Raises: AnalyteError."""
    try:
        # Absolute: ":memory:" must not mean memory. Opened in one thread, used and closed in others.
        return sqlite3.connect(path.absolute(), isolation_level=None, timeout=BUSY_S, check_same_thread=False)
    except sqlite3.Error as error:
        raise in_words(error, path) from error


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Open a store for looking at: nothing in it can be changed by this connection.

    Raises: InputError when there is none, IntegrityError for a foreign file or another schema, OutputError.
    """
    if not path.is_file():
        raise InputError("there is no store", where=path, fix="Name it with --store or --device")
    connection: sqlite3.Connection | None = None
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro",
            uri=True,
            isolation_level=None,
            timeout=BUSY_S,
            check_same_thread=False,
        )
        application = pragma(connection, "application_id")
        refuse_foreign(application, path)
        version = pragma(connection, "user_version")
    except sqlite3.Error as error:
        if connection is not None:
            connection.close()
        if _primary(error) in _NOT_ALLOWED:
            raise InputError(
                "SQLite has to write beside a store to read it, and may not",
                where=path,
                got=error,
                fix="Copy it with its .heads file into a folder of yours, or ask as the daemon's user",
            ) from error
        raise in_words(error, path) from error
    except AnalyteError:
        if connection is not None:
            connection.close()
        raise
    if version != STORE_SCHEMA:
        connection.close()
        refuse_newer(version, path)
        raise IntegrityError(
            "a store of an older analyte",
            where=path,
            expected=f"schema {STORE_SCHEMA}",
            got=version,
            fix="The daemon brings it up to date when it next starts",
        )
    return connection


def pragma(connection: sqlite3.Connection, text: str) -> object:
    """Return the one value that a pragma gives."""
    return connection.execute(f"PRAGMA {text}").fetchone()[0]


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Write all that the block writes, or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A full disk may have ended the transaction already.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def refuse_foreign(application: object, path: Path) -> None:
    """Raise IntegrityError unless the header names this program."""
    if application != APPLICATION_ID:
        raise IntegrityError(
            "an SQLite database of another program",
            where=path,
            expected="a store of analyte, or no file",
            fix="Choose another --store",
        )


def refuse_newer(version: object, path: Path) -> None:
    """Raise IntegrityError for a store that this program is too old for."""
    if not isinstance(version, int) or version > STORE_SCHEMA:
        raise IntegrityError(
            "a store of a newer version of analyte",
            where=path,
            expected=f"schema {STORE_SCHEMA} or older",
            got=version,
            fix="Choose another --store, or update analyte",
        )


def refuse_damaged(connection: sqlite3.Connection, path: Path) -> None:
    """Raise IntegrityError when the pages of the file do not fit together."""
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise IntegrityError(
            "the store is damaged",
            where=path,
            got=found,
            fix="Keep the file, choose another --store, and restore readings with: sqlite3 FILE .recover",
        )


def _primary(error: sqlite3.Error) -> int | None:
    """Return SQLite's code; extended ones hold it in their low byte."""
    code = getattr(error, "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else None


def in_words(error: sqlite3.Error, path: Path) -> AnalyteError:
    """Return what an error of SQLite means for whoever runs the device."""
    primary = _primary(error)
    if primary == sqlite3.SQLITE_FULL:
        return OutputError("the disk is full", where=path, fix="Free some space and run again")
    if primary in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return IntegrityError(
            "not a store of analyte, or damaged", where=path, got=error, fix="Choose another --store"
        )
    if primary == sqlite3.SQLITE_BUSY:
        return OutputError("another program holds the store", where=path, got=error, fix="Stop it")
    if primary in _NOT_ALLOWED:
        return OutputError(
            "the store cannot be opened for writing",
            where=path,
            got=error,
            fix="Make its folder, and let this user write there",
        )
    return OutputError("the store cannot be written", where=path, got=error)
