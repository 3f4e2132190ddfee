"""Splits: no group on two sides, the same for the same seed, nobody left out."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyte.contract.dataset import SPLITS, Dataset, DatasetSpec, Sample, Split, View
from analyte.contract.errors import DatasetError
from analyte.contract.splits import SPLIT_BY, assign_splits, new_by
from contract.datasets import assert_one_line

SPEC = DatasetSpec(name="d", analyte="dye", unit="mg/L", range=(0.0, 1.0))


def dataset(groups: list[str], splits: list[Split | None] | None = None) -> Dataset:
    view = (View(Path("p.png"), None, 0),)
    marks = splits or [None] * len(groups)
    samples = (
        Sample(f"s{i}", 0.5, view, group, group, split)
        for i, (group, split) in enumerate(zip(groups, marks, strict=True))
    )
    return Dataset(Path("data"), SPEC, tuple(samples))


def sides(data: Dataset) -> dict[str, set[str | None]]:
    found: dict[str, set[str | None]] = defaultdict(set)
    for sample in data.samples:
        found[sample.group].add(sample.split)
    return found


@given(st.lists(st.text(max_size=3), min_size=3, max_size=60), st.integers(0, 2**32 - 1))
def test_properties(groups: list[str], seed: int) -> None:
    if len(set(groups)) < 3:
        groups = [*groups, "one", "two", "three"]
    data = dataset(groups)
    result = assign_splits(data, seed=seed)
    assert [replace(s, split=None) for s in result.samples] == list(data.samples)
    assert set(result.counts()) == set(SPLITS)
    assert all(len(found) == 1 for found in sides(result).values())
    assert assign_splits(data, seed=seed) == result


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=40).map(lambda g: [*g, *"abcdefgh"]))
def test_order_of_rows_does_not_matter(groups: list[str]) -> None:
    result = sides(assign_splits(dataset(groups), seed=1))
    assert sides(assign_splits(dataset(groups[::-1]), seed=1)) == result


def test_shares_of_many_small_groups() -> None:
    counts = assign_splits(dataset([f"g{i}" for i in range(1000)]), seed=0).counts()
    assert counts == {"test": 200, "val": 120, "train": 680}


def test_seeds_differ() -> None:
    data = dataset([f"g{i}" for i in range(30)])
    assert len({tuple(s.split for s in assign_splits(data, seed=seed).samples) for seed in range(5)}) == 5


@pytest.mark.parametrize("seed", range(8))
def test_a_giant_group_stays_in_training(seed: int) -> None:
    result = assign_splits(dataset(["giant"] * 90 + [f"g{i}" for i in range(30)]), seed=seed)
    assert sides(result)["giant"] == {"train"}
    assert 18 <= result.counts()["test"] <= 30


def test_three_groups_make_three_splits() -> None:
    assert assign_splits(dataset(["a", "b", "c"]), seed=0).counts() == {"test": 1, "train": 1, "val": 1}


def refused(data: Dataset, *parts: str) -> None:
    with pytest.raises(DatasetError) as caught:
        assign_splits(data, seed=0)
    assert_one_line(caught.value, 3, "data: ", *parts)


@pytest.mark.parametrize(("groups", "target"), [(["a"] * 9, "test"), (["a", "b"], "val")])
def test_too_few_groups(groups: list[str], target: str) -> None:
    refused(dataset(groups), f"cannot set a {target} split aside", "one group only", "group column")


def test_no_samples() -> None:
    refused(dataset([]), "no sample")


def test_partly_filled() -> None:
    refused(dataset(["a", "b"], ["train", None]), "some rows have a split and some have none", "unassigned")


def test_no_training_samples() -> None:
    refused(dataset(["a", "b"], ["test", "val"]), "no training samples")


def test_group_in_test_and_train() -> None:
    marks: list[Split | None] = ["train", "test", "val", "train"]
    refused(dataset(["a", "a", "b", "c"], marks), "stand in two splits", "got a (a in test and train)")


def test_group_in_test_and_val() -> None:
    refused(
        dataset(["a", "b", "b"], ["train", "test", "val"]), "stand in two splits", "got b (b in test and val)"
    )


def test_group_in_train_and_val() -> None:
    """What was trained on neither chooses the epoch nor calibrates the interval."""
    refused(dataset(["a", "a", "b"], ["train", "val", "test"]), "stand in two splits", "(a in train and val)")


def days(count: int) -> Dataset:
    """A dataset of specimens that were photographed on five days."""
    data = dataset([f"g{i}" for i in range(count)])
    return replace(data, samples=tuple(replace(s, session=f"day{i % 5}") for i, s in enumerate(data.samples)))


def test_whole_sessions() -> None:
    by_group, by_session = (assign_splits(days(60), seed=0, by=by) for by in SPLIT_BY)
    found = {s.session: {other.split for other in by_session.samples if other.session == s.session}
             for s in by_session.samples}  # fmt: skip
    assert all(len(splits) == 1 for splits in found.values())
    assert set(by_session.counts()) == set(SPLITS)
    assert any(len({s.split for s in by_group.samples if s.session == day}) > 1 for day in found)


def test_sessions_that_share_specimens_cannot_be_set_apart() -> None:
    data = dataset([f"g{i % 4}" for i in range(40)])
    crossed = replace(
        data, samples=tuple(replace(s, session=f"day{i // 8}") for i, s in enumerate(data.samples))
    )
    with pytest.raises(DatasetError, match="stand in two splits"):
        assign_splits(crossed, seed=0, by="session")


def test_marked_test_rows_stay_and_validation_comes_from_training() -> None:
    marks: list[Split | None] = ["test", "test", *["train"] * 20]  # type: ignore[list-item]
    result = assign_splits(dataset([f"g{i}" for i in range(22)], marks), seed=0)
    assert [s.split for s in result.samples[:2]] == ["test", "test"]
    assert result.counts() == {"test": 2, "train": 17, "val": 3}


def test_complete_marks_stay_as_they_are() -> None:
    data = dataset(["a", "b", "c"], ["val", "test", "train"])
    assert assign_splits(data, seed=7) == data


def sample(group: str, session: str) -> Sample:
    return Sample(f"{group}{session}", 1.0, (), group, session, None)


def test_new_by_session_where_no_session_trains() -> None:
    train = [sample("a", "monday"), sample("b", "tuesday")]
    assert new_by(train, [sample("c", "friday"), sample("d", "friday")]) == ["friday", "friday"]
    # One day on both sides: what is new is the specimen.
    assert new_by(train, [sample("c", "friday"), sample("d", "monday")]) == ["c", "d"]
