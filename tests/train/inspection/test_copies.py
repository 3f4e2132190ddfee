"""One picture under two names is found, whatever was done to it; another concentration is another picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyte.contract.arrays import UInt8Array
from analyte.contract.dataset import View
from analyte.contract.pictures import load_pictures
from analyte.contract.preprocessing import PreprocessingSpec
from analyte.train.inspection.inspection import Inspection
from analyte.train.inspection.look_alikes import LookAlike, find_look_alikes
from analyte.train.inspection.survey import THUMBNAIL_PX
from train.inspection.planted import (
    EDGE,
    Planted,
    findings_in,
    inspected,
    photograph,
    resaved,
    save,
    sound,
    texture,
    to_levels,
)


def unsplit() -> Planted:
    study = sound()
    study.drop("split")
    return study


@pytest.mark.parametrize("views", [("sample",), ("reference", "sample")])
def test_nothing_in_a_sound_study(tmp_path: Path, views: tuple[str, ...]) -> None:
    assert findings_in(sound(views).write(tmp_path / "d")) == {}


class TestExactCopies:
    def test_across_splits(self, tmp_path: Path) -> None:
        study = sound()
        row = study.of(split="train")[4]
        study.add(
            row, study.pictures[row["path"]], sample="again", split="test", group="day13", session="day13"
        )
        found = findings_in(study.write(tmp_path / "d"))
        assert set(found) == {"copies-splits"}
        entry = found["copies-splits"]
        assert entry.severity == "error"
        assert entry.pairs == ((row["sample"], "again"),)
        assert entry.rows == (6, 142)
        assert entry.files == (row["path"], "images/again.png")

    def test_across_groups_that_are_yet_to_be_split(self, tmp_path: Path) -> None:
        study = unsplit()
        row = study.rows[4]
        study.add(row, study.pictures[row["path"]], sample="again", group="day13", session="day13")
        found = findings_in(study.write(tmp_path / "d"))
        assert {code: entry.severity for code, entry in found.items()} == {"copies-groups": "warning"}

    def test_across_groups_that_stay_in_one_split(self, tmp_path: Path) -> None:
        study = sound()
        row = study.of(split="test")[4]
        study.add(row, study.pictures[row["path"]], sample="again", group="day13", session="day13")
        found = findings_in(study.write(tmp_path / "d"))
        assert {code: entry.severity for code, entry in found.items()} == {"copies-rows": "note"}

    def test_with_two_values(self, tmp_path: Path) -> None:
        study = sound()
        row = study.rows[4]
        study.add(row, study.pictures[row["path"]], sample="again", value="8.8889")
        found = findings_in(study.write(tmp_path / "d"))
        assert {code: entry.severity for code, entry in found.items()} == {"copies-values": "error"}

    def test_reference_that_a_session_shares(self, tmp_path: Path) -> None:
        """One blank beside every sample of a day is no copy of a sample."""
        study = sound(("reference", "sample"))
        for row in study.of(view="reference"):
            first = study.of(view="reference", session=row["session"])[0]
            study.pictures[row["path"]] = study.pictures[first["path"]]
        assert findings_in(study.write(tmp_path / "d")) == {}


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("scale", [1.0, 1.5])
def test_saved_again_across_splits(tmp_path: Path, scale: float, turned: bool) -> None:
    study = sound()
    row = study.of(split="train")[4]
    picture = study.pictures[row["path"]]
    picture = np.rot90(picture) if turned else picture
    study.add(
        row, resaved(picture, scale=scale), sample="again", split="test", group="day13", session="day13"
    )
    found = findings_in(study.write(tmp_path / "d"))
    assert set(found) == {"resaved-splits"}
    assert found["resaved-splits"].severity == "error"
    assert found["resaved-splits"].pairs == ((row["sample"], "again"),)
    assert ("1 turned" in found["resaved-splits"].what) == turned


def test_turned_copies_are_others_where_turning_changes_the_value(tmp_path: Path) -> None:
    study = sound()
    study.toml["rotation_invariant"] = "false"
    row = study.of(split="train")[4]
    study.add(
        row,
        np.rot90(study.pictures[row["path"]]),
        sample="again",
        split="test",
        group="day13",
        session="day13",
    )
    assert findings_in(study.write(tmp_path / "d")) == {}


def test_copies_in_three_sizes_are_one_cluster(tmp_path: Path) -> None:
    """The second copy does not hide the first."""
    study = sound()
    row = study.of(split="train")[4]
    for name, scale in (("one", 1.0), ("two", 1.25), ("three", 1.5)):
        picture = resaved(study.pictures[row["path"]], quality=90, scale=scale)
        study.add(row, picture, sample=name, split="test", group="day13", session="day13")
    found = findings_in(study.write(tmp_path / "d"))
    assert set(found) == {"resaved-splits"}
    assert {pair[1] for pair in found["resaved-splits"].pairs} == {"one", "two", "three"}


def test_copy_of_another_value_is_to_be_looked_at(tmp_path: Path) -> None:
    study = sound()
    row = study.of(split="train")[4]
    study.add(row, resaved(study.pictures[row["path"]], quality=95), sample="again", value="8.8889")
    found = findings_in(study.write(tmp_path / "d"))
    assert {code: entry.severity for code, entry in found.items()} == {"resaved-values": "warning"}


def test_both_views_have_to_be_copies(tmp_path: Path) -> None:
    study = sound(("reference", "sample"))
    first = study.of(split="train")[0]["sample"]
    rng = np.random.default_rng(5)
    for row in study.of(sample=first):
        again = resaved(study.pictures[row["path"]]) if row["view"] == "sample" else photograph(0.0, rng)
        new = {**row, "sample": "again", "group": "day13", "session": "day13", "split": "test"}
        new["path"] = f"images/again-{row['view']}.png"
        study.rows.append(new)
        study.pictures[new["path"]] = again
    assert findings_in(study.write(tmp_path / "d")) == {}


def test_uniform_patches_are_never_copies(tmp_path: Path) -> None:
    """Nothing but their colour is in them, and that is the measurement: equal ones may be of two samples."""
    study = sound()
    rng = np.random.default_rng(3)
    for row in study.rows:
        colour = 200.0 * 10.0 ** (-np.array([0.1, 0.8, 0.4]) * float(row["value"]) / 10.0)
        study.pictures[row["path"]] = to_levels(colour + rng.normal(0.0, 1.0, (EDGE, EDGE, 3)))
    assert findings_in(study.write(tmp_path / "d")) == {}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Inspection:
    return inspected(sound().write(tmp_path_factory.mktemp("base") / "d"))


def look_alikes_of(base: Inspection, index: int, picture: UInt8Array, file: Path) -> list[LookAlike]:
    """Return what is found when ``picture`` stands beside the study as another sample."""
    from dataclasses import replace

    original = base.samples[index]
    added = replace(original, id="added", group="elsewhere", views=(View(save(file, picture), None, 0),))
    samples = [*base.samples, added]
    thumbnail = load_pictures([added], PreprocessingSpec(size=THUMBNAIL_PX), where=file)
    hashes = np.asarray([[sample.id] for sample in samples])
    only_the_new = np.asarray([sample is added for sample in samples])
    return find_look_alikes(
        samples,
        np.concatenate([base.survey.thumbnails, thumbnail]),
        [sample.session for sample in samples],
        hashes,
        wanted=lambda block: only_the_new[block, np.newaxis] | only_the_new,
        turns=True,
    )


def original(base: Inspection, index: int) -> UInt8Array:
    """Return a sample's photograph, RGB."""
    return load_pictures([base.samples[index]], PreprocessingSpec(size=EDGE), where="test")[0, 0]


@given(st.data())
@settings(max_examples=12)
def test_any_copy_is_found(
    base: Inspection, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(base.samples) - 1))
    quality = data.draw(st.integers(80, 100))
    scale = data.draw(st.floats(0.75, 2.0))
    turns = data.draw(st.integers(0, 3))
    picture = resaved(np.rot90(original(base, index), turns), quality, scale)
    found = look_alikes_of(base, index, picture, tmp_path_factory.getbasetemp() / "copy.png")
    assert [(entry.first, entry.second) for entry in found] == [(index, len(base.samples))]
    assert found[0].turned == (turns > 0)
    assert found[0].difference < 3


@given(st.data())
@settings(max_examples=12)
def test_another_concentration_is_no_copy(
    base: Inspection, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """The same paper, grain and place, and 7 % of the range more dye."""
    index = data.draw(st.integers(0, len(base.samples) - 1))
    absorbance = data.draw(st.floats(0.07, 1.0)) * np.array([0.1, 0.8, 0.4])
    picture = to_levels(original(base, index) * 10.0**-absorbance)
    assert look_alikes_of(base, index, picture, tmp_path_factory.getbasetemp() / "other.png") == []


@given(st.integers(0, 2**32 - 1), st.integers(0, 13))
@settings(max_examples=12)
def test_another_specimen_of_the_same_value_is_no_copy(
    base: Inspection, tmp_path_factory: pytest.TempPathFactory, seed: int, session: int
) -> None:
    rng = np.random.default_rng(seed)
    index = session * 10 + int(rng.integers(10))
    own = original(base, index).astype(np.float64)
    # Its colour to the last level, on other paper.
    picture = to_levels(own.mean(axis=(0, 1)) * (1.0 + 0.07 * texture(rng)[:, :, np.newaxis]))
    assert look_alikes_of(base, index, picture, tmp_path_factory.getbasetemp() / "other.png") == []
