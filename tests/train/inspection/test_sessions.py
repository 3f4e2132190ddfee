"""Light that differs between sessions, and values that can be told without the colour, are found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from conftest import Invoke
from train.inspection.planted import Planted, checked, photograph, resaved, severities, sound, to_levels


def lit(study: Planted, session: str, light: list[float]) -> None:
    for row in study.of(session=session):
        study.pictures[row["path"]] = to_levels(study.pictures[row["path"]].astype(np.float64) * light)


@pytest.mark.parametrize("light", [[0.7, 0.7, 0.7], [0.8, 1.1, 1.1]], ids=["darker", "another tint"])
def test_light_unlike_the_others(invoke: Invoke, tmp_path: Path, light: list[float]) -> None:
    study = sound()
    lit(study, "day05", light)
    found = checked(invoke, study.write(tmp_path / "d"))
    assert severities(found) == {"session-unlike-others": "warning"}
    entry = found["session-unlike-others"]
    assert entry["samples"] == [row["sample"] for row in study.of(session="day05")]
    assert [detail.split(":")[0] for detail in entry["details"]] == ["day05"]


def test_a_little_darker_is_like_the_others(invoke: Invoke, tmp_path: Path) -> None:
    study = sound()
    lit(study, "day05", [0.9, 0.9, 0.9])
    assert checked(invoke, study.write(tmp_path / "d")) == {}


def test_value_by_session(invoke: Invoke, tmp_path: Path) -> None:
    """Each day has its own level."""
    study = sound()
    study.drop("split")
    for row in study.rows:
        row["session"] = f"of {row['sample'][-1]}"
    found = checked(invoke, study.write(tmp_path / "d"))
    assert severities(found) == {"value-by-session": "warning"}
    assert found["value-by-session"]["details"][1] == "of 1: 1.1111 to 1.1111 mg/L (14)"
    assert "100%" in found["value-by-session"]["what"]


def test_value_by_picture_size(invoke: Invoke, tmp_path: Path) -> None:
    study = sound()
    for row in study.rows:
        if float(row["value"]) > 5:
            study.pictures[row["path"]] = resaved(study.pictures[row["path"]], quality=100, scale=1.25)
    found = checked(invoke, study.write(tmp_path / "d"))
    assert severities(found) == {"value-by-picture-size": "warning"}
    assert found["value-by-picture-size"]["details"] == [
        "64x64 px: 0 to 4.4444 mg/L (70)",
        "80x80 px: 5.5556 to 10 mg/L (70)",
    ]


def test_value_by_reference(invoke: Invoke, tmp_path: Path) -> None:
    """The reaction reaches the region that is to show none of it."""
    study = sound(("reference", "sample"))
    rng = np.random.default_rng(4)
    for row in study.of(view="reference"):
        study.pictures[row["path"]] = photograph(0.3 * float(row["value"]), rng)
    assert severities(checked(invoke, study.write(tmp_path / "d"))) == {"value-by-reference": "warning"}
