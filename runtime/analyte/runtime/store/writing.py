"""Writing rows of the chain, within a transaction that somebody else began."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from analyte.contract.event import Event
from analyte.contract.reading import Reading
from analyte.runtime.store.chain import GENESIS, Kind, link
from analyte.runtime.store.rows import (
    INSERT_EVENT,
    INSERT_FLAG,
    INSERT_READING,
    ReadingColumns,
    event_columns,
    flag_rows,
    reading_columns,
    with_id,
)
from analyte.runtime.store.schema import SPAN_BITS

_LAST_READING = "SELECT sequence, hash FROM readings ORDER BY sequence DESC LIMIT 1"
_LAST_EVENT = "SELECT sequence, hash FROM events ORDER BY sequence DESC LIMIT 1"
_WIDEN_SPAN = """
INSERT INTO spans (span, first_at, last_at) VALUES (?, ?, ?) ON CONFLICT (span) DO UPDATE
SET first_at = min(first_at, excluded.first_at), last_at = max(last_at, excluded.last_at)
"""


@dataclass(frozen=True, slots=True)
class Unchained:
    """A reading that is to become a row: its columns, flags and JSON."""

    columns: ReadingColumns
    flags: Sequence[str]
    json: str


def unchained(reading: Reading) -> Unchained:
    """Return a reading as the contents of a row."""
    return Unchained(reading_columns(reading), reading.flags, reading.to_json())


@dataclass(slots=True)
class ChainWriter:
    """Appends to the end of the chain."""

    connection: sqlite3.Connection
    sequence: int = 0
    """Of the last row; 0 where there is none."""
    hash: bytes = GENESIS
    """Of the last row."""

    def seek(self) -> None:
        """Find the end: another process may have written since."""
        ends = [self.connection.execute(last).fetchone() for last in (_LAST_READING, _LAST_EVENT)]
        self.sequence, self.hash = max((end for end in ends if end is not None), default=(0, GENESIS))

    def add_event(self, event: Event) -> Event:
        """Append an event; return it with its id."""
        event = with_id(event)
        text = event.to_json()
        previous = self._advance(Kind.EVENT, text)
        row = (self.sequence, self.hash, previous, *event_columns(event), text)
        self.connection.execute(INSERT_EVENT, row)
        return event

    def add_readings(self, readings: Sequence[Unchained]) -> None:
        """Append readings."""
        rows: list[tuple[object, ...]] = []
        flags: list[tuple[object, ...]] = []
        spans: dict[int, tuple[str, str]] = {}
        for reading in readings:
            self._advance(Kind.READING, reading.json)
            rows.append((self.sequence, self.hash, *reading.columns, reading.json))
            if reading.flags:
                flags += flag_rows(self.sequence, reading.flags, reading.columns)
            at = str(reading.columns.captured_at)
            first, last = spans.get(self.sequence >> SPAN_BITS, (at, at))
            spans[self.sequence >> SPAN_BITS] = min(first, at), max(last, at)
        self.connection.executemany(INSERT_READING, rows)
        if flags:
            self.connection.executemany(INSERT_FLAG, flags)
        self.connection.executemany(_WIDEN_SPAN, [(span, *times) for span, times in spans.items()])

    def _advance(self, kind: Kind, text: str) -> bytes:
        previous = self.hash
        self.sequence += 1
        self.hash = link(previous, self.sequence, kind, text.encode())
        return previous
