"""Holds: readings that may not be deleted, because a person said so, until a person says otherwise."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from analyte.contract.errors import InputError
from analyte.contract.event import Event, Role
from analyte.runtime.store.rows import event_from_json
from analyte.runtime.store.spans import ranges_of

PLACED, RELEASED = "hold.placed", "hold.released"


@dataclass(frozen=True, slots=True)
class Hold:
    """Readings captured from ``since`` to before ``until``; None leaves that side open. UTC, ISO 8601."""

    id: str
    since: str | None
    until: str | None
    who: str
    why: str


def placed(at: str, who: str, why: str, since: str | None, until: str | None) -> Event:
    """Return the event that holds readings; its id is the hold's."""
    return Event(at, who, Role.SUPERVISOR, PLACED, why, new={"since": since, "until": until})


def released(at: str, who: str, why: str, hold: Hold) -> Event:
    """Return the event that ends a hold."""
    return Event(at, who, Role.SUPERVISOR, RELEASED, why, old=hold.id)


def active_holds(connection: sqlite3.Connection) -> list[Hold]:
    """Return the holds that were placed and not released, the oldest first."""
    found: dict[str, Hold] = {}
    for (text,) in connection.execute(
        "SELECT json FROM events WHERE what IN (?, ?) ORDER BY sequence", (PLACED, RELEASED)
    ):
        event = event_from_json(text)
        if event.what == RELEASED:
            found.pop(str(event.old), None)
        elif isinstance(event.new, dict):
            since, until = (
                None if (t := event.new.get(key)) is None else str(t) for key in ("since", "until")
            )
            found[event.id] = Hold(event.id, since, until, event.who, event.why)
    return list(found.values())


def find_hold(connection: sqlite3.Connection, id: str) -> Hold:
    """Return the active hold whose id begins so. Raises: InputError unless there is exactly one."""
    holds = active_holds(connection)
    found = [hold for hold in holds if hold.id.startswith(id)]
    if len(found) != 1:
        raise InputError(
            "no such hold" if not found else "several holds begin so",
            expected=", ".join(hold.id for hold in found or holds) or "an active hold; there is none",
            got=id,
        )
    return found[0]


def first_held(connection: sqlite3.Connection) -> int | None:
    """Return the sequence number of the first reading that is on hold, or None."""
    firsts = [_first_within(connection, hold) for hold in active_holds(connection)]
    return min((first for first in firsts if first is not None), default=None)


def _first_within(connection: sqlite3.Connection, hold: Hold) -> int | None:
    for first, last in ranges_of(connection, hold.since, hold.until):
        row = connection.execute(
            "SELECT sequence FROM readings WHERE sequence BETWEEN ?1 AND ?2"
            " AND (?3 IS NULL OR captured_at >= ?3) AND (?4 IS NULL OR captured_at < ?4)"
            " ORDER BY sequence LIMIT 1",
            (first, last, hold.since, hold.until),
        ).fetchone()
        if row is not None:
            return int(row[0])
    return None
