"""Making the tables of a store, and bringing a store of an older schema up to date."""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

from analyte.contract.errors import IntegrityError
from analyte.contract.event import Event
from analyte.runtime.store.connecting import transaction
from analyte.runtime.store.rows import columns_of_json
from analyte.runtime.store.schema import HEADER, INDICES, STORE_SCHEMA, TABLES, TRIGGERS
from analyte.runtime.store.writing import ChainWriter, Unchained

MakeEvent = Callable[[Mapping[str, int], Mapping[str, int]], Event]
"""Gives the event of a migration: what was before, what is now."""

_ROWS_AT_A_TIME = 1000
_OLD_COLUMNS = "sequence, json, id, captured_at, value, unit, refused, reason, bundle"


def create(connection: sqlite3.Connection) -> None:
    """Make an empty store of the newest schema in an empty file."""
    with transaction(connection):
        for statement in (*TABLES, *INDICES, *TRIGGERS, *HEADER):
            connection.execute(statement)


def migrate(connection: sqlite3.Connection, path: Path, event: MakeEvent) -> None:
    """Bring a store of schema 2, readings without a chain, to the newest schema; all of it or nothing.

    Raises: IntegrityError when a reading there contradicts itself, or for a schema that was never released.
    """
    with transaction(connection):
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == STORE_SCHEMA:  # Another process was faster.
            return
        if version != 2:
            raise IntegrityError(
                "a store of an unknown version of analyte",
                where=path,
                expected=f"schema 2 or {STORE_SCHEMA}",
                got=version,
                fix="Choose another --store",
            )
        for name in ("readings_no_update", "readings_no_delete"):
            connection.execute(f"DROP TRIGGER IF EXISTS {name}")
        connection.execute("DROP INDEX IF EXISTS readings_captured_at")
        connection.execute("ALTER TABLE readings RENAME TO readings_2")
        for statement in TABLES:
            connection.execute(statement)
        writer = ChainWriter(connection)
        first, last, count = _chain_old(connection, writer, path)
        missing = last - first + 1 - count if count else 0
        old = {"schema": 2, "readings": count, "missing": missing}
        writer.add_event(event(old, {"schema": STORE_SCHEMA}))
        connection.execute("DROP TABLE readings_2")
        for statement in (*INDICES, *TRIGGERS, *HEADER):
            connection.execute(statement)


def _chain_old(connection: sqlite3.Connection, writer: ChainWriter, path: Path) -> tuple[int, int, int]:
    """Copy the old readings into the chain; return the first and the last old number, and how many."""
    rows = connection.execute(f"SELECT {_OLD_COLUMNS} FROM readings_2 ORDER BY sequence")
    first = last = count = 0
    for batch in iter(lambda: list(itertools.islice(rows, _ROWS_AT_A_TIME)), []):
        writer.add_readings([_checked(row, path) for row in batch])
        first = first or batch[0][0]
        last = batch[-1][0]
        count += len(batch)
    return first, last, count


def _checked(row: tuple[object, ...], path: Path) -> Unchained:
    """Return an old row's contents. What it says twice must agree: the chain is to begin with the truth."""
    sequence, text, *columns = row
    try:
        fields = json.loads(str(text))
        found = columns_of_json(fields)
        flags = [str(flag) for flag in fields["flags"]]
    except (ValueError, KeyError, TypeError) as error:
        raise _contradiction(path, sequence, error) from error
    if list(found[:-1]) != columns:
        raise _contradiction(path, sequence, "columns that do not say what its JSON says")
    return Unchained(found, flags, str(text))


def _contradiction(path: Path, sequence: object, got: object) -> IntegrityError:
    return IntegrityError(
        f"reading {sequence} of the old store was altered, so it is not taken over",
        where=path,
        got=got,
        fix="Keep the file as it is and choose another --store",
    )
