"""The real data sets load as their papers describe them, and split honestly."""

from __future__ import annotations

import math
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest

from analyte.contract.dataset import SPLITS, Dataset, duplicates_across_splits, groups_of
from analyte.contract.errors import DatasetError
from analyte.contract.labels_file import load_dataset
from analyte.contract.pictures import load_pictures
from analyte.contract.preprocessing import PreprocessingSpec
from analyte.contract.splits import assign_splits

pytestmark = pytest.mark.real_data

COUNTS = {
    "digits_rotation": (5000, 1),
    "gray_calibrators": (60, 1),
    "houses_small": (535, 4),
    "lfa_open_reader": (30, 1),
    "pad_food_dye": (2952, 2),
    "ph_strip_lightbox": (87, 1),
}
"""Samples and views by data set, as their SOURCE.md states them."""


def load(real_data: Path, name: str) -> Dataset:
    folder = real_data / name
    if not folder.is_dir():
        pytest.skip(f"no {name} in {real_data}")
    return load_dataset(folder)


@pytest.mark.parametrize("name", COUNTS)
def test_loads(real_data: Path, name: str) -> None:
    dataset = load(real_data, name)
    samples, views = COUNTS[name]
    assert (len(dataset.samples), len(dataset.spec.views)) == (samples, views)
    assert dataset.spec.name == name
    low, high = dataset.spec.range
    for sample in dataset.samples:
        assert math.isfinite(sample.value)
        assert low <= sample.value <= high
        assert len(sample.views) == views


@pytest.mark.parametrize("name", COUNTS)
def test_splits_by_group(real_data: Path, name: str) -> None:
    dataset = assign_splits(load(real_data, name), seed=0)
    counts = dataset.counts()
    assert set(counts) == {"train", "val", "test"}
    assert counts["train"] > 0.4 * len(dataset.samples)
    sides = [set(groups_of(dataset.subset(split).samples)) for split in SPLITS]
    for one, other in combinations(sides, 2):
        assert not one & other, f"on two sides: {sorted(one & other)[:3]}"


@pytest.mark.parametrize("name", COUNTS)
def test_pictures_can_be_read(real_data: Path, name: str) -> None:
    """Every twentieth sample: all of them would take minutes."""
    dataset = load(real_data, name)
    chosen = dataset.samples[:: max(1, len(dataset.samples) // 20)]
    images = load_pictures(chosen, PreprocessingSpec(size=16), where=name)
    assert images.shape == (len(chosen), COUNTS[name][1], 16, 16, 3)
    assert images.std() > 5


def test_published_split_of_pad_food_dye(real_data: Path) -> None:
    """Test sessions have other cameras and light: validation must not come from them."""
    dataset = load(real_data, "pad_food_dye")
    assert dataset.spec.views == ("reference", "sample")
    published = {sample.id: sample.split for sample in dataset.samples}
    tested = groups_of(dataset.subset("test").samples)
    assert len(tested) == 12
    assigned = assign_splits(dataset, seed=0)
    assert {s.id for s in assigned.subset("test").samples} == {i for i, s in published.items() if s == "test"}
    assert not set(tested) & set(groups_of(assigned.subset("val").samples))
    assert not set(tested) & set(groups_of(assigned.subset("train").samples))
    assert sorted({sample.value for sample in dataset.samples}) == list(range(1, 11))


def test_views_of_houses(real_data: Path) -> None:
    dataset = load(real_data, "houses_small")
    for sample in dataset.samples:
        names = [view.path.stem.rpartition("_")[2] for view in sample.views]
        assert names == list(dataset.spec.views) == ["bathroom", "bedroom", "frontal", "kitchen"]


def test_regions_of_ph_strips(real_data: Path) -> None:
    dataset = load(real_data, "ph_strip_lightbox")
    regions = [sample.views[0].region for sample in dataset.samples]
    assert all(region is not None and (region.w, region.h) == (30, 30) for region in regions)


def test_angles_of_digits_are_not_invariant(real_data: Path) -> None:
    assert load(real_data, "digits_rotation").spec.rotation_invariant is False


@pytest.mark.parametrize("name", ["colour_charts", "videos"])
def test_folders_that_are_no_data_set_say_so(real_data: Path, name: str) -> None:
    folder = real_data / name
    if not folder.is_dir():
        pytest.skip(f"no {name} in {real_data}")
    with pytest.raises(DatasetError) as caught:
        load_dataset(folder, unit="1")
    assert caught.value.exit_code == 3
    assert str(folder) in caught.value.line()


def test_no_specimen_of_pad_food_dye_stands_on_two_sides(real_data: Path) -> None:
    """Identical photographs in training and test would flatter every model."""
    dataset = assign_splits(load(real_data, "pad_food_dye"), seed=0)
    sides = Counter(frozenset((one.split, other.split)) for one, other in duplicates_across_splits(dataset))
    assert not {pair for pair in sides if "test" in pair}
