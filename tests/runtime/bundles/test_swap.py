"""The swap: a new bundle is tried on the same frames, takes over or does not, and there is a way back."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from analyte.contract.errors import IntegrityError, OutputError, UnavailableError
from analyte.contract.event import Event
from analyte.contract.reading import Reading
from analyte.runtime.bundles.runner import Runner
from analyte.runtime.bundles.shadow import ShadowLimits, ShadowReport
from analyte.runtime.bundles.shelf import Shelf
from analyte.runtime.bundles.swap import LOOK_EVERY_S, BundleSwap
from analyte.runtime.sources.protocol import Frame
from analyte.runtime.store.protocol import StoredEvent
from runtime.store.readings import reading

OLD, NEW = "a" * 64, "b" * 64
LIMITS = ShadowLimits(readings=5, max_difference=1.0, max_refused=0.1)


@dataclass
class MemoryTrail:
    kept: list[Event] = field(default_factory=list)
    full: bool = False

    def add(self, event: Event) -> None:
        if self.full:
            raise OutputError("the disk is full")
        self.kept.append(event)

    def events(self, what: str = "", *, after: int = 0, limit: int = 1000) -> Sequence[StoredEvent]:
        return []


class Stage:
    """A device that measures with stand-ins for bundles, by their ids."""

    def __init__(self, folder: Path, limits: ShadowLimits | None = LIMITS) -> None:
        self.shelf = Shelf(folder)
        for one in (OLD, NEW):
            self.shelf.path(one).write_bytes(b"")
        self.shelf.activate(OLD)
        self.offset = {OLD: 0.0, NEW: 0.1}
        self.fails: dict[str, Exception] = {}
        self.refuses: set[str] = set()
        self.dies: set[str] = set()
        self.closed: list[str] = []
        self.trail = MemoryTrail()
        self.said: list[str] = []
        self.switched: list[str] = []
        self.swap = BundleSwap(
            self.shelf,
            self.runner(OLD),
            lambda path: self.opened(path.name.split(".")[0]),
            self.trail,
            shadow_readings=5,
            limits=limits,
            switched=self.switched.append,
            report=self.said.append,
        )

    def opened(self, bundle_id: str) -> Runner:
        if bundle_id in self.fails:
            raise self.fails[bundle_id]
        return self.runner(bundle_id)

    def runner(self, bundle_id: str) -> Runner:
        bundle: Any = SimpleNamespace(
            id=bundle_id, manifest=SimpleNamespace(label=SimpleNamespace(unit="mg/L"))
        )
        engine: Any = SimpleNamespace(close=lambda: self.closed.append(bundle_id))
        pipeline: Any = SimpleNamespace(measure_all=lambda frame: self.measured(bundle_id, frame))
        return Runner(bundle, None, engine, pipeline)  # type: ignore[arg-type]

    def measured(self, bundle_id: str, frame: Frame) -> list[Reading]:
        if bundle_id in self.dies:
            raise UnavailableError("the delegate died")
        if bundle_id in self.refuses:
            return [reading(frame.index, refused=True)]
        at = frame.index + self.offset[bundle_id]
        return [replace(reading(frame.index), value=at, lower=at - 1.0, upper=at + 1.0)]

    def turn(self, number: int) -> str:
        """Measure a frame as the loop does; return the id of what measured it."""
        frame = Frame(np.zeros((2, 2, 3), np.uint8), datetime.now(UTC), time.monotonic(), "f", number)
        used = self.swap.running.bundle.id
        self.swap.measure_all(frame)
        return used

    def turns(self, until: str, count: int = 400) -> list[str]:
        """Measure until an event of this kind is in the trail, or ``count`` frames were measured."""
        used = []
        for number in range(count):
            used.append(self.turn(number))
            if until in self.happened():
                break
            time.sleep(0.005)
        return used

    def happened(self) -> list[str]:
        return [event.what for event in self.trail.kept]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    made.swap.close()


def test_takes_over_after_a_trial_within_its_limits(stage: Stage) -> None:
    stage.shelf.propose(NEW)
    used = stage.turns("bundle.promoted")
    assert set(used) == {OLD}
    assert stage.turn(0) == NEW
    assert stage.shelf.state().active == NEW
    assert stage.shelf.state().previous == OLD
    assert stage.happened() == ["bundle.trial_started", "bundle.promoted"]
    promoted = stage.trail.kept[-1]
    assert promoted.old == OLD
    assert isinstance(promoted.new, dict)
    shadow = promoted.new["shadow"]
    assert isinstance(shadow, dict)
    assert shadow["compared"] == 5
    assert shadow["mean_absolute"] == pytest.approx(0.1)
    assert stage.closed == []
    for number in range(6):
        stage.turn(number)
    assert stage.closed == [OLD]


@pytest.mark.parametrize(
    ("difference", "refuses", "says"),
    [
        (1.5, False, "differ by 1.5 mg/L on average"),
        (0.0, True, "it refuses 5 of 5"),
        (99.0, False, "no value in common"),
    ],
)
def test_trial_beyond_its_limits(stage: Stage, difference: float, refuses: bool, says: str) -> None:
    stage.offset[NEW] = difference
    stage.refuses = {NEW} if refuses else set()
    stage.shelf.propose(NEW)
    stage.turns("bundle.rejected")
    assert stage.turn(0) == OLD
    assert says in stage.trail.kept[-1].why
    assert stage.shelf.state().candidate is None
    assert stage.closed == [NEW]
    assert stage.swap.shadow is None
    assert stage.swap.candidate is None
    assert stage.swap.verdict.startswith(f"{NEW[:16]} was rejected: ")
    assert says in stage.swap.verdict


@pytest.mark.parametrize("error", [IntegrityError("altered"), UnavailableError("no such provider")])
def test_bundle_that_does_not_open_changes_nothing(stage: Stage, error: Exception) -> None:
    stage.fails[NEW] = error
    stage.shelf.propose(NEW)
    stage.turns("bundle.rejected")
    assert stage.turn(0) == OLD
    assert str(error) in stage.trail.kept[-1].why
    assert stage.shelf.state().candidate is None


def test_without_limits_a_person_decides(tmp_path: Path) -> None:
    stage = Stage(tmp_path, limits=None)
    stage.shelf.propose(NEW)
    assert set(stage.turns("bundle.trial_waits")) == {OLD}
    stage.turn(0)
    assert isinstance(stage.swap.shadow, ShadowReport)
    assert stage.swap.candidate == NEW
    assert stage.swap.shadow.compared >= 6
    stage.shelf.activate(NEW)
    stage.turns("bundle.promoted")
    assert stage.turn(0) == NEW
    stage.swap.close()


def test_roll_back_by_one_command(stage: Stage) -> None:
    stage.shelf.propose(NEW)
    stage.turns("bundle.promoted")
    stage.shelf.roll_back()
    for number in range(400):
        if stage.turn(number) == OLD:
            break
        time.sleep(0.005)
    assert stage.turn(0) == OLD
    assert stage.shelf.state().active == OLD


def test_new_bundle_that_fails_is_rolled_back_by_itself(stage: Stage) -> None:
    stage.shelf.propose(NEW)
    stage.turns("bundle.promoted")
    stage.dies = {NEW}
    stage.turn(0)
    assert stage.turn(1) == OLD
    assert stage.shelf.state().active == OLD
    assert stage.happened()[-1] == "bundle.rolled_back"
    assert "the delegate died" in stage.trail.kept[-1].why
    assert stage.closed == [NEW]
    assert stage.switched == [NEW, OLD]
    # There is nothing behind the old one: its failure is for the daemon to end with.
    stage.dies = {OLD}
    with pytest.raises(UnavailableError):
        stage.turn(2)


def test_proven_bundle_is_not_rolled_back_by_itself(stage: Stage) -> None:
    stage.shelf.propose(NEW)
    stage.turns("bundle.promoted")
    for number in range(10):
        stage.turn(number)
    stage.dies = {NEW}
    with pytest.raises(UnavailableError):
        stage.turn(0)


def test_candidate_that_fails_beside_the_running_one_costs_no_reading(stage: Stage) -> None:
    stage.shelf.propose(NEW)
    stage.turns("bundle.trial_started")
    stage.dies = {NEW}
    assert stage.turn(0) == OLD
    assert stage.happened()[-1] == "bundle.rejected"
    assert stage.turn(1) == OLD


def test_trial_that_is_withdrawn_ends(stage: Stage, tmp_path: Path) -> None:
    stage = Stage(tmp_path / "other", limits=None)
    stage.shelf.propose(NEW)
    stage.turns("bundle.trial_waits")
    stage.shelf.withdraw()
    time.sleep(LOOK_EVERY_S)
    stage.turn(0)
    assert stage.swap.shadow is None
    assert stage.closed == [NEW]
    stage.swap.close()


def test_trail_that_cannot_be_written_is_said(stage: Stage) -> None:
    stage.trail.full = True
    stage.shelf.propose(NEW)
    for number in range(400):
        if stage.turn(number) == NEW:
            break
        time.sleep(0.005)
    assert any("not in the audit trail" in line for line in stage.said)


def test_closing_releases_everything(stage: Stage) -> None:
    stage.shelf.propose(NEW)
    stage.turns("bundle.trial_started")
    stage.swap.close()
    assert sorted(stage.closed) == [OLD, NEW]
    stage.closed.clear()
