"""Stored readings, for looking at: pages of any filter in milliseconds, however many readings there are."""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path

from analyte.runtime.store.connecting import connect_to_read, in_words
from analyte.runtime.store.protocol import ReadingFilter, StoredReading
from analyte.runtime.store.spans import EVERYTHING, Range, ranges_of
from analyte.runtime.store.times import utc

Value = str | int


@dataclass(frozen=True, slots=True)
class _Arm:
    """A query that one index answers in the order of the chain: the table, and what its columns equal."""

    table: str
    equal: tuple[tuple[str, Value], ...]

    def condition(self) -> str:
        # What a partial index demands has to stand there in its own words.
        extra = {"site": "{0}.site <> ''", "reason": "{0}.reason IS NOT NULL"}
        words = [f"{self.table}.{name} = ?" for name, _ in self.equal]
        words += [
            extra[name].format(self.table) for name, value in self.equal if name in extra and value != ""
        ]
        return " AND ".join(["", *words])


def _arms(chosen: ReadingFilter) -> list[_Arm]:
    """Return the queries that together find what is chosen; no reading is found by two of them."""
    if chosen.reason is not None and chosen.refused is False:
        return []
    table = "readings" if chosen.flag is None else "flags"
    equal: list[list[tuple[str, Value]]] = []
    if chosen.flag is not None:
        equal.append([("flag", str(chosen.flag))])
    if chosen.site is not None:
        equal.append([("site", chosen.site)])
    if chosen.reason is not None:
        equal.append([("reason", str(chosen.reason))])
    elif chosen.refused is not None:
        equal.append([("refused", int(chosen.refused))])
    elif equal:
        # Indices lead by site and flag to refused: both kinds, each in the order of the chain.
        equal.append([("refused", 0), ("refused", 1)])
    return [_Arm(table, choice) for choice in product(*equal)]


class SqliteReadingLog:
    """See `ReadingLog`. Opens the file for itself, to read."""

    def __init__(self, path: Path) -> None:
        """Raises: InputError when there is no store, IntegrityError for another file, OutputError."""
        self._path = path
        self._connection = connect_to_read(path)

    def newest(
        self, chosen: ReadingFilter, *, before: int | None = None, limit: int = 100
    ) -> Sequence[StoredReading]:
        """Return readings, newest first; see `ReadingLog.newest`. Raises: InputError for what is no time."""
        until = EVERYTHING[1] if before is None else before - 1
        return list(islice(self.scan(chosen, (EVERYTHING[0], until), descending=True), limit))

    def following(self, sequence: int, limit: int = 100) -> Sequence[StoredReading]:
        """Return the readings that follow; see `ReadingLog.following`."""
        found = self.scan(ReadingFilter(), (sequence + 1, EVERYTHING[1]), descending=False)
        return list(islice(found, limit))

    def find(self, id: str) -> StoredReading | None:
        """Return the reading of this id, or None."""
        try:
            row = self._connection.execute(
                "SELECT sequence, id, json FROM readings WHERE id = ?", (id,)
            ).fetchone()
        except sqlite3.Error as error:
            raise in_words(error, self._path) from error
        return None if row is None else StoredReading(*row)

    def scan(self, chosen: ReadingFilter, within: Range, *, descending: bool) -> Iterator[StoredReading]:
        """Give the readings that are chosen, one after the other, in the order of the chain or against it.

        Raises: InputError for what is no time.
        """
        since = None if chosen.since is None else utc(chosen.since)
        until = None if chosen.until is None else utc(chosen.until)
        arms = _arms(chosen)
        try:
            ranges = ranges_of(self._connection, since, until)
            for first, last in reversed(ranges) if descending else ranges:
                part = max(first, within[0]), min(last, within[1])
                if part[0] <= part[1]:
                    queries = [self._query(arm, part, (since, until), descending) for arm in arms]
                    yield from heapq.merge(*queries, key=lambda row: row.sequence, reverse=descending)
        except sqlite3.Error as error:
            raise in_words(error, self._path) from error

    def explain(self, chosen: ReadingFilter) -> list[str]:
        """Return how SQLite finds the readings that are chosen: one text per index that is used."""
        found: list[str] = []
        for arm in _arms(chosen):
            text, parameters = _statement(arm, EVERYTHING, (chosen.since, chosen.until), descending=True)
            plan = self._connection.execute(f"EXPLAIN QUERY PLAN {text}", parameters)
            found.append("; ".join(row[3] for row in plan))
        return found

    def _query(
        self, arm: _Arm, part: Range, times: tuple[str | None, str | None], descending: bool
    ) -> Iterator[StoredReading]:
        rows = self._connection.execute(*_statement(arm, part, times, descending=descending))
        return (StoredReading(*row) for row in rows)

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._connection.close()


def _statement(
    arm: _Arm, part: Range, times: tuple[str | None, str | None], *, descending: bool
) -> tuple[str, list[Value]]:
    source = "readings"
    if arm.table == "flags":
        # CROSS JOIN: SQLite then begins with the flags.
        source = "flags CROSS JOIN readings ON readings.sequence = flags.sequence"
    parameters: list[Value] = [*part, *(value for _, value in arm.equal)]
    condition = f"{arm.table}.sequence BETWEEN ? AND ?{arm.condition()}"
    for time, comparison in zip(times, (">=", "<"), strict=True):
        if time is not None:
            condition += f" AND readings.captured_at {comparison} ?"
            parameters.append(time)
    text = (
        f"SELECT readings.sequence, readings.id, readings.json FROM {source} WHERE {condition}"
        f" ORDER BY {arm.table}.sequence {'DESC' if descending else 'ASC'}"
    )
    return text, parameters
