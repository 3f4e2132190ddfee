"""Heads that should be there and are not: what a start finds, and what verification says of it later."""

from __future__ import annotations

import sqlite3

from analyte.runtime.store.heads import Head

HEADS_LOST = "heads.lost"
MOST_UNSIGNED = 5000
"""Rows at the end that a store may hold without a head, with a key without a signed one: more than lie
between two heads of a device that is running or was killed."""
MOST_FIRST = 1000
"""Rows that a store may hold without any head: a crash right after its first transaction leaves so many."""

_LAST_EVENT = "SELECT sequence, what FROM events ORDER BY sequence DESC LIMIT 1"


def lost_heads(connection: sqlite3.Connection, last: int, head: Head | None, *, by_key: bool) -> str:
    """Return in words that heads are missing which a store of ``last`` rows must have; empty where none are.

    ``head``: the last one, with ``by_key`` the last that the device's key signed. A store that was just
    brought up to date has none yet.
    """
    covered = 0 if head is None else head.sequence
    if last - covered <= (MOST_FIRST if head is None else MOST_UNSIGNED):
        return ""
    newest = connection.execute(_LAST_EVENT).fetchone()
    if newest is not None and tuple(newest) == (last, "store.migrated"):
        return ""
    what = "head signed by this device" if by_key else "head"
    return (
        f"no {what} was found for rows {covered + 1} to {last}: they may have been replaced or cut off "
        "before this start; compare a copy of the heads"
    )


def remarks(connection: sqlite3.Connection) -> list[str]:
    """Return what starts found of lost heads, oldest first."""
    query = "SELECT sequence, at, json_extract(json, '$.why') FROM events WHERE what = ? ORDER BY sequence"
    found = connection.execute(query, (HEADS_LOST,))
    return [f"event {sequence} of {at}: {why}" for sequence, at, why in found]


def receiver_beyond(connection: sqlite3.Connection, last: int) -> str:
    """Return in words that a receiver is said to have what was never stored; empty where none is."""
    query = "SELECT name FROM receivers WHERE up_to > ? OR up_to < 0 LIMIT 1"
    found = connection.execute(query, (last,)).fetchone()
    return "" if found is None else f"is what {found[0]!r} is said to have received; it was never stored"
