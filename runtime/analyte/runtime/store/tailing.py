"""The end of the chain, readings and events as they follow each other."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from analyte.runtime.store.chain import Kind

_AFTER = """
SELECT sequence, kind, json FROM (
    SELECT * FROM (
        SELECT sequence, 'reading' AS kind, json FROM readings WHERE sequence > :after
        ORDER BY sequence LIMIT :n
    ) UNION ALL SELECT * FROM (
        SELECT sequence, 'event' AS kind, json FROM events WHERE sequence > :after
        ORDER BY sequence LIMIT :n
    )
) ORDER BY sequence LIMIT :n
"""
_LAST = """
SELECT max(coalesce((SELECT max(sequence) FROM readings), 0), coalesce((SELECT max(sequence) FROM events), 0))
"""


class Entry(NamedTuple):
    """A row of the chain."""

    sequence: int
    kind: Kind
    json: str


def last_sequence(connection: sqlite3.Connection) -> int:
    """Return the sequence number of the last row; 0 for an empty store."""
    return int(connection.execute(_LAST).fetchone()[0])


def entries_after(connection: sqlite3.Connection, sequence: int, limit: int) -> list[Entry]:
    """Return the rows that follow ``sequence``, at most ``limit``."""
    rows = connection.execute(_AFTER, {"after": sequence, "n": limit})
    return [Entry(place, Kind(kind), text) for place, kind, text in rows]
