"""Folds: no group on both sides, every sample predicted once by a network that never saw it."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from analyte.contract.dataset import Sample
from analyte.contract.errors import SettingsError
from analyte.train.batches import LabelledPictures
from analyte.train.cross_validation import cross_validate, fold_seed, hold_back, write_folds
from analyte.train.folds import split_folds
from analyte.train.parts import Part


def part(groups: list[str], sessions: list[str] | None = None) -> Part:
    """Samples whose picture shows their value, one per group named."""
    count = len(groups)
    values = np.linspace(0.0, 10.0, count)
    images = np.broadcast_to((20 * values)[:, None, None, None, None], (count, 1, 8, 8, 3)).astype(np.uint8)
    samples = tuple(
        Sample(f"s{i}", values[i], (), groups[i], (sessions or groups)[i], "train") for i in range(count)
    )
    return Part(samples, LabelledPictures(images, values, np.zeros((count, 0), np.float32)))


def keys_of(whole: Part) -> tuple[list[str], list[str]]:
    return whole.groups, whole.sessions


GROUPS = [f"g{i % 6}" for i in range(48)]
SESSIONS = [f"day{i % 3}" for i in range(48)]


@pytest.mark.parametrize("folds", [2, 3, 6, "session"])
def test_no_group_on_both_sides(folds: int | str) -> None:
    whole = part(GROUPS, SESSIONS)
    found = split_folds(*keys_of(whole), folds)
    assert len(found) == (3 if folds == "session" else folds)
    held_out = np.concatenate([outside for _, outside in found])
    assert sorted(held_out) == list(range(48))
    for inside, outside in found:
        for keys in (whole.groups, whole.sessions) if folds == "session" else (whole.groups,):
            assert not {keys[i] for i in inside} & {keys[i] for i in outside}


def test_a_specimen_of_several_sessions_leaves_training_with_each() -> None:
    groups = [f"g{i}" for i in range(40)]
    groups[1] = groups[0]  # one specimen on day 0 and on day 1
    whole = part(groups, [f"day{i % 4}" for i in range(40)])
    for inside, outside in split_folds(*keys_of(whole), "session"):
        assert not {groups[i] for i in inside} & {groups[i] for i in outside}
    assert sorted(len(inside) for inside, _ in split_folds(*keys_of(whole), "session")) == [29, 29, 30, 30]


@pytest.mark.parametrize("folds", [3, "session"])
def test_what_a_fold_holds_back(folds: int | str) -> None:
    whole = part([f"g{i % 12}" for i in range(48)], [f"day{i % 4}" for i in range(48)])
    train, val = hold_back(whole, folds, seed=0)
    assert len(train.samples) + len(val.samples) == 48
    assert not set(train.groups) & set(val.groups)
    if folds == "session":
        assert len(set(val.sessions)) == 1
        assert not set(train.sessions) & set(val.sessions)


def test_new_by_session_only_where_whole_sessions_are_held_out() -> None:
    whole = part(GROUPS, SESSIONS)

    def value(inside: Part, outside: Part, number: int) -> dict[str, np.ndarray]:
        found = outside.data.values
        return {"value": found, "sigma": found + 1.0, "features": found[:, np.newaxis]}

    assert cross_validate(whole, "session", value).new_by == tuple(SESSIONS)
    assert cross_validate(whole, 6, value).new_by == tuple(GROUPS)


@pytest.mark.parametrize(("groups", "folds"), [(["a"] * 48, 2), (GROUPS, 7), (["a"] * 48, "session")])
def test_too_few_groups(groups: list[str], folds: int | str) -> None:
    with pytest.raises(SettingsError, match=r"more folds than groups|folds need two sessions"):
        split_folds(*keys_of(part(groups)), folds)


def test_a_fold_that_leaves_nothing_to_train_on() -> None:
    with pytest.raises(SettingsError, match="too few samples"):
        split_folds(*keys_of(part(["a", "b"] * 5)), 2)


def test_predictions_come_from_outside_and_return_to_their_places(tmp_path: Path) -> None:
    whole = part(GROUPS, SESSIONS)
    calls: list[tuple[set[str], set[str], int]] = []

    def fit_and_predict(inside: Part, outside: Part, number: int) -> dict[str, np.ndarray]:
        calls.append((set(inside.sessions), set(outside.sessions), number))
        value = outside.data.values + number
        return {"value": value, "sigma": np.ones(len(value)), "features": np.zeros((len(value), 2))}

    found = cross_validate(whole, "session", fit_and_predict)
    assert [number for *_, number in calls] == [0, 1, 2]
    assert all(not inside & outside for inside, outside, _ in calls)
    np.testing.assert_allclose(found.value, found.true + found.fold)
    assert [record.mae for record in found.records] == pytest.approx([0.0, 1.0, 2.0])
    assert [record.sessions for record in found.records] == [("day0",), ("day1",), ("day2",)]
    # The calibration curve reads these pictures well: a constant is off by 2.5.
    assert all(record.mae_baseline < 1.2 for record in found.records)
    with np.printoptions(legacy="1.13"):  # as the simulator's spectra library sets it on import
        write_folds(whole, found, tmp_path / "folds.csv")
    with (tmp_path / "folds.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["sample"] for row in rows] == [sample.id for sample in whole.samples]
    assert all(float(row["value"]) == float(row["true"]) + int(row["fold"]) for row in rows)


def test_every_fold_has_its_own_seed() -> None:
    assert len({fold_seed(seed, number) for seed in range(5) for number in range(20)}) == 100
