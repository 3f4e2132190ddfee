"""Making room: what may go, what may not, and that the rest still verifies."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from analyte.contract.event import Event
from analyte.contract.reading import Flag
from analyte.runtime.store import retention
from analyte.runtime.store.heads import heads_path
from analyte.runtime.store.history import SqliteReadingLog
from analyte.runtime.store.holds import active_holds, placed, released
from analyte.runtime.store.outbox import SqliteOutbox
from analyte.runtime.store.protocol import ReadingFilter
from analyte.runtime.store.retention import DELETED, Retention, Rules
from analyte.runtime.store.sqlite import SqliteStore
from analyte.runtime.store.times import iso
from analyte.runtime.store.verifying import verify_store
from runtime.store.readings import START_S, SetClock, alter, fill, happened, numbers, opened, varied

DAY = Rules(keep_days=1.0)
NIGHT = 1440
"""Readings of a day: one a minute."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "r.sqlite"
    fill(path, [varied(number) for number in range(NIGHT + 100)])
    return path


def sweep(store: SqliteStore, rules: Rules, report: Callable[[str], None] = lambda text: None) -> None:
    Retention(store, rules, report).sweep()


def kept(path: Path) -> list[str]:
    with closing(SqliteReadingLog(path)) as log:
        return [one.id for one in log.following(0, 10**6)]


def test_by_age(path: Path) -> None:
    events = numbers(path, "events")
    with opened(path) as store:
        sweep(store, DAY)
        sweep(store, DAY)
        (deleted,) = store.events(DELETED)
    # The newest was captured at minute 1539: a day before is minute 99.
    assert kept(path) == [f"id-{number}" for number in range(99, NIGHT + 100)]
    assert deleted.event.why == "keep_days = 1"
    new = deleted.event.new
    assert isinstance(new, dict)
    assert (new["readings"], new["events_kept"]) == (99, 9)
    assert (new["first_at"], new["last_at"]) == (iso(START_S), iso(START_S + 98 * 60.0))
    assert set(numbers(path, "events")) >= set(events)
    found = verify_store(path, heads_path(path))
    assert found.passed, found.problem
    assert (found.readings, found.first, found.deleted_up_to) == (NIGHT + 1, 109, 108)
    with closing(SqliteReadingLog(path)) as log:
        assert log.newest(ReadingFilter(flag=Flag.GLARE), limit=10**6)[-1].id == "id-100"


def test_again_and_again_after_more_readings(path: Path) -> None:
    for number in (NIGHT + 200, NIGHT + 300):
        with opened(path) as store:
            store.append([varied(number)])
            sweep(store, DAY)
    assert kept(path)[0] == "id-300"
    with opened(path) as store:
        assert len(store.events(DELETED)) == 2
    assert verify_store(path, heads_path(path)).passed


def test_by_size(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    fill(path, [varied(number) for number in range(3000)])
    before = path.stat().st_size / 1e6
    assert before > 2.0
    with opened(path) as store:
        sweep(store, Rules(keep_mb=1.0))
        with store.writing() as writer:
            pages, free = (
                writer.connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count")
            )
        # The room is used again before the file grows.
        store.append([varied(number) for number in range(5000, 5300)])
    assert 0.7e6 < 4096 * (pages - free) <= 1e6
    assert path.stat().st_size / 1e6 == pytest.approx(before, rel=0.02)
    assert kept(path)[-1] == "id-5299"
    assert verify_store(path, heads_path(path)).passed


def test_unsent_readings_stay(path: Path) -> None:
    said: list[str] = []
    with closing(SqliteOutbox(path)) as outbox, opened(path) as store:
        sweep(store, DAY, said.append)
        assert kept(path)[0] == "id-0"
        outbox.acknowledge(outbox.pending(50)[-1].sequence)
        sweep(store, DAY, said.append)
        assert kept(path)[0] == "id-50"
        assert outbox.depth() == NIGHT + 50
    assert said[0] == ("readings are kept longer than keep_days = 1 says: they wait for the receiver 'mqtt'")


def test_held_readings_stay_until_released(path: Path) -> None:
    def on_hold() -> Event:
        return placed(iso(START_S), "kim", "complaint 17", iso(START_S + 600.0), iso(START_S + 1200.0))

    with opened(path) as store:
        store.add(on_hold())
        sweep(store, DAY)
        assert kept(path)[0] == "id-10"
        with store.writing() as writer:
            (hold,) = active_holds(writer.connection)
        assert (hold.who, hold.why) == ("kim", "complaint 17")
        store.add(released(iso(START_S), "lee", "answered", hold))
        sweep(store, DAY)
        assert kept(path)[0] == "id-99"
    assert verify_store(path, heads_path(path)).passed


def test_a_crash_between_announcing_and_deleting(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class PowerCutError(Exception):
        pass

    batches = 0

    def cut(connection: object) -> bool:
        nonlocal batches
        batches += 1
        if batches == 3:
            raise PowerCutError
        return real(connection)  # type: ignore[arg-type]

    real = retention._delete_batch
    monkeypatch.setattr(retention, "BATCH_READINGS", 20)
    monkeypatch.setattr(retention, "_delete_batch", cut)
    with opened(path) as store, pytest.raises(PowerCutError):
        sweep(store, DAY)
    assert "id-50" in kept(path)
    assert verify_store(path, heads_path(path)).passed
    held = path.with_name("held.sqlite")
    shutil.copy(path, held)
    shutil.copy(heads_path(path), heads_path(held))
    with opened(held) as store:
        store.add(placed(iso(START_S), "kim", "complaint 17", iso(START_S + 3600.0), None))
        sweep(store, DAY)
    assert kept(held)[0] == "id-60"
    assert verify_store(held, heads_path(held)).passed
    altered = path.with_name("altered.sqlite")
    shutil.copy(path, altered)
    alter(altered, "UPDATE readings SET json = replace(json, 'dye', 'die') WHERE sequence = 60")
    assert verify_store(altered, heads_path(path)).bad_sequence == 60
    with opened(path) as store:
        sweep(store, DAY)
        assert len(store.events(DELETED)) == 1
    assert kept(path)[0] == "id-99"


def test_a_clock_that_jumped_forward_makes_nothing_old(path: Path) -> None:
    clock, said = SetClock(START_S + 60.0 * (NIGHT + 100)), list[str]()
    with opened(path, clock=clock) as store:
        clock.wall_s += 30 * 86400.0
        sweep(store, DAY, said.append)
    assert kept(path)[0] == "id-0"
    assert "the clock jumped forward" in said[0]
    # Nor does a wrong clock at the start: readings are as old as the newest one says.
    with opened(path, clock=SetClock(START_S + 1e9)) as store:
        sweep(store, DAY)
    assert kept(path)[0] == "id-99"


COPY = (
    "INSERT INTO readings SELECT {0}, hash, 'new', captured_at, value, unit, refused, reason, bundle, site,"
    " json FROM readings WHERE sequence = 300"
)
"""Puts a reading among the deleted ones."""


@pytest.mark.parametrize(
    ("attack", "place"),
    [
        ("UPDATE events SET json = replace(json, 'burnt', 'fine') WHERE sequence = 33", 33),
        ("DELETE FROM events WHERE sequence = 33", 108),
        ("DELETE FROM readings WHERE sequence = 109", 109),
        ("UPDATE readings SET json = replace(json, 'dye', 'die') WHERE sequence = 109", 109),
        ("UPDATE retention SET up_to = 200", 200),
        (COPY.format(50), 50),
        (COPY.format(108), 108),
        (COPY.format(0), 0),
        ("INSERT INTO flags VALUES (50, 'focus', 0, NULL, 'A1')", 50),
    ],
)
def test_what_was_kept_is_still_guarded(path: Path, attack: str, place: int) -> None:
    with opened(path) as store:
        sweep(store, DAY)
    alter(path, attack)
    assert verify_store(path, heads_path(path)).bad_sequence == place


def test_a_false_announcement_is_found(path: Path) -> None:
    """Somebody chains an event that claims more was deleted than there was before it."""
    with opened(path) as store:
        new = {"up_to": 10**6, "hash": "00" * 32, "readings": 1, "events_kept": 0, "events_sha256": ""}
        store.add(Event(iso(START_S), "device", happened().role, DELETED, new=json.loads(json.dumps(new))))
    alter(path, "INSERT INTO retention VALUES (1, 1000000)")
    assert "came after it" in verify_store(path, heads_path(path)).problem


def test_the_thread_sweeps_at_the_start(path: Path) -> None:
    with opened(path) as store:
        keeper = Retention(store, DAY, lambda text: None)
        keeper.start()
        while not (done := store.events(DELETED)):
            pass
        keeper.close()
    assert len(done) == 1
    with opened(path) as store:
        sweep(store, DAY)
    assert kept(path)[0] == "id-99"
