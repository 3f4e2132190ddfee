"""Readings to be kept, and stores full of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from analyte.contract.event import Event, Role
from analyte.contract.reading import Flag, Reading, Reason
from analyte.runtime.store.heads import Signer
from analyte.runtime.store.sqlite import SqliteStore
from analyte.runtime.store.times import ClockWatch, iso

START_S = 1_767_225_600.0
"""2026-01-01T00:00:00Z."""


def reading(number: int, *, refused: bool = False) -> Reading:
    return Reading(
        value=None if refused else float(number),
        unit="µg/mL",
        lower=None if refused else number - 1.0,
        upper=None if refused else number + 1.0,
        coverage=0.95,
        sigma=None if refused else 0.5,
        flags=(),
        refused=refused,
        reason=Reason.BAD_FRAME if refused else None,
        detail="",
        analyte="dye",
        source="test",
        frames=1,
        bundle="ab" * 32,
        artifact="onnx",
        engine="onnx",
        provider="cpu",
        device="bench-1",
        captured_at="2026-01-01T00:00:00.000000+00:00",
        capture_age_ms=1.0,
        id=f"id-{number}",
    )


def varied(number: int) -> Reading:
    """One a minute: every seventh refused, every fifth flagged, four sites."""
    refused = number % 7 == 0
    return replace(
        reading(number, refused=refused),
        reason=None if not refused else Reason.GLARE if number % 2 else Reason.FOCUS,
        flags=(Flag.GLARE,) * (number % 5 == 0) + (Flag.BELOW_LOQ,) * (number % 15 == 0),
        site=f"A{number % 4 + 1}",
        captured_at=iso(START_S + 60.0 * number),
    )


def happened(what: str = "lamp.changed", why: str = "burnt out", id: str = "") -> Event:
    return Event(iso(START_S), "kim", Role.OPERATOR, what, why, old=1, new={"hours": 0}, id=id)


class SetClock:
    """A clock that only the test moves."""

    def __init__(self, wall_s: float = START_S) -> None:
        self.wall_s = wall_s
        self.steady_s = 1000.0

    def watch(self) -> ClockWatch:
        return ClockWatch(lambda: self.wall_s, lambda: self.steady_s)

    def pass_(self, seconds: float) -> None:
        self.wall_s += seconds
        self.steady_s += seconds


@contextmanager
def opened(path: Path, signer: Signer | None = None, clock: SetClock | None = None) -> Iterator[SqliteStore]:
    store = SqliteStore(path, signer=signer, clock=None if clock is None else clock.watch())
    try:
        yield store
    finally:
        store.close()


def fill(path: Path, readings: Sequence[Reading], signer: Signer | None = None) -> None:
    """Keep readings, an event after each ten."""
    with opened(path, signer) as store:
        for first in range(0, len(readings), 10):
            store.append(readings[first : first + 10])
            store.add(happened())


def alter(path: Path, *statements: str) -> None:
    """What somebody does who may write the file: nothing keeps the store append-only any more."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
        for _, sql in triggers:
            connection.execute(sql)


def numbers(path: Path, table: str = "readings") -> list[int]:
    """Sequence numbers that are stored."""
    with closing(sqlite3.connect(path)) as connection:
        return [row[0] for row in connection.execute(f"SELECT sequence FROM {table} ORDER BY sequence")]
