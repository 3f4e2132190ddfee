"""From somebody's model to a run folder: what is calibrated, on which pictures, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analyte.contract.dataset import sample_hashes
from analyte.contract.errors import DatasetError, InputError
from analyte.contract.labels_file import load_dataset
from analyte.contract.run import MODEL_FILE, load_record, load_samples
from analyte.export.adoption.run import adopt, warnings_of
from analyte.export.adoption.spec import ModelSpec
from analyte.export.trained_model import load_model, predict

_WARM = {
    'unit = "mL"': 'unit = "mL"\ncovariates = ["warmth"]',
    ",split\n": ",split,warmth\n",
    **{f",{split}\n": f",{split},20\n" for split in ("train", "val", "test")},
}


@pytest.fixture(scope="module")
def run(foreign: Path, tubes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of the foreign model."""
    folder = tmp_path_factory.mktemp("adopted")
    adopt(foreign, stated(), tubes, folder)
    return folder


def stated(**changes: Any) -> ModelSpec:
    given = {"unit": "mL", "unseen": "val", "input": {"black": 0.0, "white": 1.0}, **changes}
    return ModelSpec.model_validate(given)


def without(tubes: Path, folder: Path, **replaced: str) -> Path:
    """Return a copy of the data with words of its files replaced."""
    shutil.copytree(tubes, folder)
    for name in ("labels.csv", "dataset.toml"):
        text = (folder / name).read_text()
        for old, new in replaced.items():
            text = text.replace(old, new)
        (folder / name).write_text(text)
    return folder


def test_interval_holds_on_days_that_nobody_looked_at(run: Path, tubes: Path) -> None:
    record, model = load_record(run), load_model(run / MODEL_FILE)
    samples = load_samples(run)
    said = predict(model, samples.val_images)
    apart = np.abs(said.value - samples.val_values)
    assert np.mean(apart <= record.interval.quantile * said.sigma) >= 0.95
    assert set(samples.val_sessions) == {"day-14", "day-15"}
    assert set(samples.train_sessions) == {f"day-{day:02d}" for day in range(1, 14)}
    assert record.validation_mae["keras"] == pytest.approx(apart.mean())


def test_test_split_stays_unseen(run: Path, tubes: Path) -> None:
    """What is called seen is what calibration saw: no more, or a later evaluation could not be made."""
    seen = set(load_record(run).dataset.seen)
    dataset = load_dataset(tubes)
    assert seen.isdisjoint(sample_hashes(dataset.subset("test").samples))
    assert seen == set(sample_hashes(s for s in dataset.samples if s.split != "test"))


def test_says_where_the_model_comes_from(run: Path, foreign: Path) -> None:
    record = load_record(run)
    assert (record.recipe, record.seed, record.epochs) == ("adopted", None, 0)
    assert record.settings["model"] == foreign.name
    assert len(str(record.settings["model_sha256"])) == 64


def test_wrong_pixels_are_warned_of(foreign: Path, tubes: Path, tmp_path: Path, run: Path) -> None:
    assert warnings_of(load_record(run)) == []
    wrong = stated(input={"black": 0.0, "white": 255.0})
    said = warnings_of(adopt(foreign, wrong, tubes, tmp_path))
    assert len(said) == 1
    assert "Check black, white and channels" in said[0]


@pytest.mark.parametrize(
    ("changes", "replaced", "said"),
    [
        ({"unit": "L"}, {}, "the labels are in another unit than the model's value; expected L"),
        ({}, {",val\n": ",train\n"}, "no row of the split column says val"),
        ({}, _WARM, "warmth"),
    ],
)
def test_data_that_do_not_fit(
    foreign: Path, tubes: Path, tmp_path: Path, changes: Any, replaced: dict[str, str], said: str
) -> None:
    data = without(tubes, tmp_path / "data", **replaced)
    (tmp_path / "run").mkdir()
    with pytest.raises(DatasetError, match=said):
        adopt(foreign, stated(**changes), data, tmp_path / "run")


def test_all_unseen_needs_no_split(foreign: Path, tubes: Path, tmp_path: Path) -> None:
    data = without(tubes, tmp_path / "data", **{f",{split}\n": ",\n" for split in ("train", "val", "test")})
    (tmp_path / "run").mkdir()
    record = adopt(foreign, stated(unseen="all"), data, tmp_path / "run")
    assert set(record.splits.values()) == {"train", "val", "test"}


def test_few_pictures(foreign: Path, tubes: Path, tmp_path: Path) -> None:
    data = without(tubes, tmp_path / "data")
    lines = (data / "labels.csv").read_text().splitlines(keepends=True)
    (data / "labels.csv").write_text("".join(lines[:40]))
    (tmp_path / "run").mkdir()
    with pytest.raises(DatasetError, match="too few"):
        adopt(foreign, stated(), data, tmp_path / "run")


def test_several_views_for_a_model_of_one(foreign: Path, two_view_study: Path, tmp_path: Path) -> None:
    unit = load_dataset(two_view_study).spec.unit
    with pytest.raises((InputError, DatasetError), match=r"number of views|too few|val"):
        adopt(foreign, stated(unit=unit), two_view_study, tmp_path)
