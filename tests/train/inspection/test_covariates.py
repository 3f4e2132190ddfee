"""Covariates that a device would refuse, or that tell the value without the picture, are found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from conftest import Invoke
from train.inspection.planted import Planted, Row, checked, severities, sound


def warm(study: Planted) -> dict[str, float]:
    """Return a temperature of each sample from 20 to 24, both ends in the first session of training."""
    drawn = np.random.default_rng(1).uniform(20.0, 24.0, len(study.rows))
    drawn[:2] = 20.0, 24.0
    return {row["sample"]: round(float(t), 2) for row, t in zip(study.rows, drawn, strict=True)}


def by_lot(row: Row) -> str:
    return "ab"[int(row["session"][-1]) % 2]


def test_nothing_where_training_shows_all(invoke: Invoke, tmp_path: Path) -> None:
    study = sound()
    temperature = warm(study)
    study.covariate("temp", lambda row: temperature[row["sample"]])
    study.covariate("device", lambda row: 7 + int(row["sample"][-1]) % 2)
    study.covariate("lot", by_lot, numeric=False)
    assert checked(invoke, study.write(tmp_path / "d")) == {}


class TestNumbers:
    def test_beyond_training(self, invoke: Invoke, tmp_path: Path) -> None:
        study = sound()
        temperature = warm(study)
        # A tenth of 20 to 24 is 0.4: by so much a device flags, by more it refuses.
        temperature |= {"s09-0": 24.4, "s11-0": 19.61, "s11-1": 19.5, "s12-0": 29.0, "s12-1": 24.0}
        study.covariate("temp", lambda row: temperature[row["sample"]])
        found = checked(invoke, study.write(tmp_path / "d"))
        assert severities(found) == {"covariate-beyond-training": "warning"}
        entry = found["covariate-beyond-training"]
        assert sorted(entry["samples"]) == ["s09-0", "s11-0", "s11-1", "s12-0"]
        assert entry["what"].startswith("4 samples")
        assert "refuse 2 " in entry["what"]
        assert "flag 2" in entry["what"]
        assert entry["details"] == ["temp: 20 to 24 in training, 19.5 to 29 beyond it (4)"]

    def test_sample_beyond_in_two_counts_once(self, invoke: Invoke, tmp_path: Path) -> None:
        study = sound()
        for name, beyond in (("temp", 24.2), ("minutes", 30.0)):
            numbers = {**warm(study), "s13-0": beyond}
            study.covariate(name, lambda row, numbers=numbers: numbers[row["sample"]])
        entry = checked(invoke, study.write(tmp_path / "d"))["covariate-beyond-training"]
        assert entry["samples"] == ["s13-0"]
        assert "refuse 1 " in entry["what"]
        assert "flag 0" in entry["what"]
        assert len(entry["details"]) == 2


@pytest.mark.parametrize(("session", "samples"), [("day09", 10), ("day13", 10)])
def test_category_that_training_lacks(invoke: Invoke, tmp_path: Path, session: str, samples: int) -> None:
    study = sound()
    study.covariate("lot", lambda row: "new" if row["session"] == session else by_lot(row), numeric=False)
    found = checked(invoke, study.write(tmp_path / "d"))
    assert severities(found) == {"category-not-in-training": "warning"}
    entry = found["category-not-in-training"]
    assert entry["details"] == [f"lot: new ({samples})"]
    assert entry["samples"] == [row["sample"] for row in study.of(session=session)]


class TestTelling:
    @pytest.mark.parametrize(
        "cell",
        [
            pytest.param(lambda row: row["value"], id="the value itself"),
            pytest.param(lambda row: -(10.0 ** float(row["value"])), id="a curve of it"),
            # Numbers of bottles, in no order.
            pytest.param(lambda row: int(row["sample"][-1]) * 7 % 10, id="a number for each level"),
        ],
    )
    def test_number(self, invoke: Invoke, tmp_path: Path, cell: Callable[[Row], object]) -> None:
        study = sound()
        study.covariate("bottle", cell)
        found = checked(invoke, study.write(tmp_path / "d"))
        assert severities(found) == {"value-by-covariate": "warning"}
        assert found["value-by-covariate"]["details"] == ["bottle: 100.0%"]

    def test_number_of_continuous_values(self, invoke: Invoke, tmp_path: Path) -> None:
        """Every value and every number occurs once, so that only their order tells."""
        study = sound()
        for index, row in enumerate(study.rows):
            row["value"] = f"{min(10.0, float(row['value']) + index * 1e-4):.4f}"
        study.covariate("volume", lambda row: 3.0 - float(row["value"]))
        assert severities(checked(invoke, study.write(tmp_path / "d"))) == {"value-by-covariate": "warning"}

    def test_category(self, invoke: Invoke, tmp_path: Path) -> None:
        study = sound()
        study.covariate("bottle", lambda row: "jihgfedcba"[int(row["sample"][-1])], numeric=False)
        assert severities(checked(invoke, study.write(tmp_path / "d"))) == {"value-by-covariate": "warning"}

    def test_only_in_training(self, invoke: Invoke, tmp_path: Path) -> None:
        """What the network may read is what training shows, whatever the test has."""
        study = sound()

        def cell(row: Row) -> int:
            level = int(row["sample"][-1])
            return 9 - level if row["split"] == "test" else level

        study.covariate("bottle", cell)
        assert severities(checked(invoke, study.write(tmp_path / "d"))) == {"value-by-covariate": "warning"}

    @pytest.mark.parametrize("numeric", [True, False])
    def test_half_of_it_is_not_telling(self, invoke: Invoke, tmp_path: Path, numeric: bool) -> None:
        """A covariate may well go with the value, as time does with a reaction's."""
        study = sound()
        study.covariate("half", lambda row: int(row["sample"][-1]) // 5, numeric=numeric)
        assert checked(invoke, study.write(tmp_path / "d")) == {}
