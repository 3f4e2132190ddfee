"""Values that training never shows, or hardly, are found; others are not."""

from __future__ import annotations

from pathlib import Path

from conftest import Invoke
from train.inspection.planted import Planted, checked, severities, sound


def continuous(study: Planted) -> None:
    """Make every value another one, in the same order."""
    for index, row in enumerate(study.rows):
        row["value"] = f"{min(10.0, float(row['value']) + index * 1e-4):.4f}"


def without(study: Planted, level: str, *splits: str) -> None:
    """Take the samples of a level out of splits."""
    study.rows = [row for row in study.rows if row["sample"][-1] != level or row["split"] not in splits]


def test_test_values_outside_those_of_training(invoke: Invoke, tmp_path: Path) -> None:
    study = sound()
    without(study, "9", "train", "val")
    found = checked(invoke, study.write(tmp_path / "d"))
    assert severities(found) == {
        "test-beyond-training": "warning",
        "range-not-covered": "warning",
        "few-samples": "note",
    }
    entry = found["test-beyond-training"]
    assert entry["samples"] == ["s11-9", "s12-9", "s13-9"]
    assert "0 to 8.8889 mg/L" in entry["what"]
    assert found["range-not-covered"]["details"] == ["8.8889 to 10 mg/L"]


def test_level_that_only_the_test_shows(invoke: Invoke, tmp_path: Path) -> None:
    study = sound()
    without(study, "4", "train", "val")
    found = checked(invoke, study.write(tmp_path / "d"))
    assert severities(found) == {"level-only-in-test": "note", "few-samples": "note"}
    assert found["level-only-in-test"]["details"] == ["4.4444 mg/L (3)"]
    assert found["level-only-in-test"]["samples"] == ["s11-4", "s12-4", "s13-4"]


def test_declared_range_that_nothing_shows(invoke: Invoke, tmp_path: Path) -> None:
    study = sound()
    study.toml["range"] = "[-1.2, 11.0]"
    found = checked(invoke, study.write(tmp_path / "d"))
    # 1.2 at the lower end are less than a tenth of the range of 12.2, as is 1 at the upper end.
    assert found == {}
    study.toml["range"] = "[-1.4, 11.0]"
    found = checked(invoke, study.write(tmp_path / "e"))
    assert severities(found) == {"range-not-covered": "warning"}
    assert found["range-not-covered"]["details"] == ["-1.4 to 0 mg/L"]


def test_one_value(invoke: Invoke, tmp_path: Path) -> None:
    study = sound()
    for row in study.rows:
        row["value"] = "5"
    assert severities(checked(invoke, study.write(tmp_path / "d"))) == {"one-value": "error"}


def test_thin_level(invoke: Invoke, tmp_path: Path) -> None:
    """Of the eleven samples of level 4 that training shows, two are left."""
    study = sound()
    study.drop("session")
    kept = {"s00-4", "s01-4"}
    study.rows = [
        row
        for row in study.rows
        if row["sample"][-1] != "4" or row["split"] == "test" or row["sample"] in kept
    ]
    found = checked(invoke, study.write(tmp_path / "d"))
    assert severities(found) == {"thin-levels": "warning"}
    assert found["thin-levels"]["details"] == ["4.4444 mg/L (2)"]
    assert "1 of 10 levels with fewer than 3 samples" in found["thin-levels"]["what"]


def test_thin_tenth_of_the_range(invoke: Invoke, tmp_path: Path) -> None:
    study = sound()
    continuous(study)
    assert checked(invoke, study.write(tmp_path / "d")) == {}
    without(study, "4", "train", "val")
    found = checked(invoke, study.write(tmp_path / "e"))
    assert severities(found) == {"thin-levels": "warning", "few-samples": "note"}
    assert found["thin-levels"]["details"] == ["4 to 5 mg/L (0)"]
