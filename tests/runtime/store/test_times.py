"""The clock: what jumped, and what did not."""

from __future__ import annotations

from pathlib import Path

from analyte.runtime.store.heads import heads_path
from analyte.runtime.store.times import iso
from analyte.runtime.store.verifying import verify_store
from runtime.store.readings import START_S, SetClock, numbers, opened, varied


def test_a_jump_is_recorded_before_what_follows(tmp_path: Path) -> None:
    path, clock = tmp_path / "r.sqlite", SetClock()
    with opened(path, clock=clock) as store:
        store.append([varied(0)])
        clock.pass_(60.0)
        store.append([varied(1)])
        clock.pass_(60.0)
        clock.wall_s -= 3600.0
        store.append([varied(2)])
        (jump,) = store.events("clock.")
    assert (jump.sequence, jump.event.what) == (3, "clock.jumped")
    assert (jump.event.old, jump.event.new) == (iso(START_S + 120.0), iso(START_S - 3480.0))
    assert numbers(path) == [1, 2, 4]
    assert verify_store(path, heads_path(path)).passed


def test_a_clock_that_is_brought_right_gently_did_not_jump(tmp_path: Path) -> None:
    clock = SetClock()
    with opened(tmp_path / "r.sqlite", clock=clock) as store:
        for number in range(5):
            store.append([varied(number)])
            clock.pass_(86400.0)
            clock.wall_s += 40.0  # 463 ppm
        assert store.events() == []


def test_a_clock_behind_the_record_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    with opened(path, clock=SetClock()) as store:
        store.append([varied(10)])
    with opened(path, clock=SetClock(0.0)) as store:
        (jump,) = store.events("clock.")
    assert (jump.event.old, jump.event.new) == (iso(START_S + 600.0), iso(0.0))
