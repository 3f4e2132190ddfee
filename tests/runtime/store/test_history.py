"""Looking at stored readings: every filter finds what it says, newest first, page after page."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analyte.contract.errors import InputError
from analyte.contract.reading import Flag, Reading, Reason
from analyte.runtime.store import spans, writing
from analyte.runtime.store.history import SqliteReadingLog
from analyte.runtime.store.protocol import ReadingFilter
from analyte.runtime.store.times import iso
from runtime.store.readings import START_S, fill, opened, varied

COUNT = 300


def jumping(number: int) -> Reading:
    """A clock that is set back by two hours after every hundred readings, and was wrong at first."""
    seconds = START_S + 60.0 * number - 7200.0 * (number // 100) if number > 20 else 60.0 * number
    return replace(varied(number), captured_at=iso(seconds))


READINGS = [jumping(number) for number in range(COUNT)]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteReadingLog]:
    path = tmp_path_factory.mktemp("log") / "r.sqlite"
    with pytest.MonkeyPatch.context() as patch:
        # Many spans in a small store.
        patch.setattr(writing, "SPAN_BITS", 4)
        patch.setattr(spans, "SPAN_BITS", 4)
        fill(path, READINGS)
        with closing(SqliteReadingLog(path)) as opened_log:
            yield opened_log


def is_chosen(reading: Reading, chosen: ReadingFilter) -> bool:
    return (
        (chosen.since is None or reading.captured_at >= chosen.since)
        and (chosen.until is None or reading.captured_at < chosen.until)
        and (chosen.refused is None or reading.refused == chosen.refused)
        and (chosen.reason is None or reading.reason == chosen.reason)
        and (chosen.flag is None or chosen.flag in reading.flags)
        and (chosen.site is None or reading.site == chosen.site)
    )


TIMES = st.none() | st.integers(-200, COUNT + 20).map(lambda number: iso(START_S + 60.0 * number + 30.0))
FILTERS = st.builds(
    ReadingFilter,
    since=TIMES,
    until=TIMES,
    refused=st.sampled_from([None, True, False]),
    reason=st.sampled_from([None, None, Reason.GLARE, Reason.FOCUS, Reason.FOREIGN]),
    flag=st.sampled_from([None, None, Flag.GLARE, Flag.BELOW_LOQ, Flag.MOTION]),
    site=st.sampled_from([None, None, "A1", "A4", "B1"]),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FILTERS, st.integers(1, 50))
def test_pages_hold_what_is_chosen_and_nothing_twice(
    log: SqliteReadingLog, chosen: ReadingFilter, limit: int
) -> None:
    wanted = [reading.to_json() for reading in reversed(READINGS) if is_chosen(reading, chosen)]
    found: list[str] = []
    before: int | None = None
    while page := log.newest(chosen, before=before, limit=limit):
        assert len(page) <= limit
        before = page[-1].sequence
        found += [one.json for one in page]
    assert found == wanted


def test_following(log: SqliteReadingLog) -> None:
    first = log.following(0, 15)
    assert [one.id for one in first] == [f"id-{number}" for number in range(15)]
    # The events between are no readings.
    assert [one.sequence for one in first][8:12] == [9, 10, 12, 13]
    assert log.following(first[-1].sequence, 1)[0].id == "id-15"
    assert log.following(10**9) == []


def test_find(log: SqliteReadingLog) -> None:
    found = log.find("id-77")
    assert found is not None
    assert (found.id, found.json) == ("id-77", READINGS[77].to_json())
    assert log.find("no such id") is None


def test_sees_what_is_stored_later(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    with opened(path) as store:
        store.append([varied(1)])
        with closing(SqliteReadingLog(path)) as log:
            store.append([varied(2)])
            assert log.newest(ReadingFilter())[0].id == "id-2"


@pytest.mark.parametrize("text", ["yesterday", "", "2026-13-01", "9999-12-31T23:59-20:00"])
def test_what_is_no_time(log: SqliteReadingLog, text: str) -> None:
    with pytest.raises(InputError, match="not a time"):
        log.newest(ReadingFilter(since=text))


@pytest.mark.parametrize("text", ["2026-01-01T01:00", "2026-01-01T01:00Z", "2026-01-01T03:00+02:00"])
def test_times_of_any_zone(log: SqliteReadingLog, text: str) -> None:
    found = log.newest(ReadingFilter(until=text), limit=COUNT)
    assert {one.json for one in found} == {
        r.to_json() for r in READINGS if r.captured_at < iso(START_S + 3600.0)
    }


def test_every_page_uses_an_index(log: SqliteReadingLog) -> None:
    """No filter reads readings that it does not give: at most one index, in the order of the chain."""
    generator = random.Random(1)
    for _ in range(100):
        chosen = ReadingFilter(
            refused=generator.choice([None, True, False]),
            reason=generator.choice([None, Reason.GLARE]),
            flag=generator.choice([None, Flag.GLARE]),
            site=generator.choice([None, "A1"]),
        )
        plans = log.explain(chosen)
        assert not any("TEMP B-TREE" in plan for plan in plans), (chosen, plans)
        if chosen != ReadingFilter():
            assert all("INDEX" in plan for plan in plans), (chosen, plans)


def test_no_store(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no store"):
        SqliteReadingLog(tmp_path / "r.sqlite")
