"""Stores of schema 2, as a daemon of that time wrote them: readings without a chain."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from analyte.contract.errors import IntegrityError
from analyte.contract.reading import Flag, Reading
from analyte.runtime.store.heads import heads_path
from analyte.runtime.store.history import SqliteReadingLog
from analyte.runtime.store.protocol import ReadingFilter
from analyte.runtime.store.sqlite import SqliteStore
from analyte.runtime.store.verifying import verify_store
from runtime.store.readings import numbers, opened, varied

SCHEMA_2 = """
BEGIN IMMEDIATE;
PRAGMA application_id = 1634626681;
PRAGMA user_version = 2;
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


def write_schema_2(path: Path, readings: Sequence[Reading]) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(SCHEMA_2)
        connection.executemany(
            "INSERT INTO readings (id, captured_at, value, unit, refused, reason, bundle, json)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (r.id, r.captured_at, r.value, r.unit, r.refused, r.reason, r.bundle, r.to_json())
                for r in readings
            ],
        )


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "r.sqlite"
    write_schema_2(path, [varied(number) for number in range(2500)])
    return path


def test_readings_are_chained_and_an_event_says_so(old: Path) -> None:
    said: list[str] = []
    store = SqliteStore(old, report=said.append)
    (event,) = store.events()
    store.append([varied(9999)])
    store.close()
    assert "up to date" in said[0]
    assert (event.sequence, event.event.what) == (2501, "store.migrated")
    assert event.event.old == {"schema": 2, "readings": 2500, "missing": 0}
    assert event.event.new == {"schema": 3}
    assert numbers(old) == [*range(1, 2501), 2502]
    assert verify_store(old, heads_path(old)).passed
    with closing(SqliteReadingLog(old)) as log:
        assert log.newest(ReadingFilter(flag=Flag.GLARE), limit=1)[0].id == "id-2495"
        found = log.find("id-7")
    assert found is not None
    assert found.json == varied(7).to_json()


def test_gaps_are_counted(old: Path) -> None:
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER readings_no_delete")
        connection.execute("DELETE FROM readings WHERE sequence IN (5, 6)")
    with opened(old) as store:
        assert store.events()[0].event.old == {"schema": 2, "readings": 2498, "missing": 2}
    assert verify_store(old, heads_path(old)).passed


def test_what_contradicts_itself_is_not_taken_over(old: Path) -> None:
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER readings_no_update")
        connection.execute("UPDATE readings SET value = 1.5 WHERE sequence = 1700")
    with pytest.raises(IntegrityError, match="reading 1700 of the old store was altered"):
        SqliteStore(old)
    with closing(sqlite3.connect(old)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
        assert connection.execute("SELECT count(*) FROM readings").fetchone() == (2500,)


def test_looking_does_not_migrate(old: Path) -> None:
    with pytest.raises(IntegrityError, match=r"older analyte.*The daemon brings it up to date"):
        SqliteReadingLog(old)


def test_empty_store(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    write_schema_2(path, [])
    with opened(path) as store:
        assert store.events()[0].event.old == {"schema": 2, "readings": 0, "missing": 0}
