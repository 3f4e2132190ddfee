"""Pictures whose colour the camera cut off are found; a session full of them is worse than one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from analyte.contract.arrays import UInt8Array
from conftest import Invoke
from train.inspection.planted import Planted, checked, severities, sound, to_levels

Spoil = Callable[[UInt8Array], UInt8Array]


def over(picture: UInt8Array) -> UInt8Array:
    """Cut 6 of 64 columns off at the upper end, in one channel."""
    changed = picture.copy()
    changed[:, :6, 0] = 255
    return changed


def under(picture: UInt8Array) -> UInt8Array:
    """Cut 6 of 64 columns off at the lower end, in one channel of three."""
    changed = picture.copy()
    changed[:, :6, 2] = 0
    return changed


def dim(picture: UInt8Array) -> UInt8Array:
    return to_levels(picture.astype(np.float64) * 0.2)


def long_season(study: Planted) -> None:
    """Make one session of the training days, in which one picture is rare."""
    for row in study.of(split="train"):
        row["session"] = "spring"


@pytest.mark.parametrize(
    ("spoil", "code"), [(over, "over-exposed"), (under, "under-exposed"), (dim, "under-exposed")]
)
def test_one_picture_of_a_session(invoke: Invoke, tmp_path: Path, spoil: Spoil, code: str) -> None:
    study = sound()
    row = study.of(session="day05")[2]
    study.pictures[row["path"]] = spoil(study.pictures[row["path"]])
    found = checked(invoke, study.write(tmp_path / "d"))
    assert severities(found) == {code: "warning"}
    assert found[code]["samples"] == [row["sample"]]
    assert found[code]["details"] == ["view sample: 1 of 140", "view sample, session day05: 1 of 10"]
    long_season(study)
    found = checked(invoke, study.write(tmp_path / "e"))
    assert severities(found) == {code: "note"}
    assert found[code]["details"] == ["view sample: 1 of 140"]


def test_too_bright_without_clipping(invoke: Invoke, tmp_path: Path) -> None:
    study = sound()
    row = study.of(session="day05")[2]
    study.pictures[row["path"]] = np.full((64, 64, 3), 250, np.uint8)
    assert "over-exposed" in checked(invoke, study.write(tmp_path / "d"))


def test_black_background_is_none(invoke: Invoke, tmp_path: Path) -> None:
    study = sound()
    for row in study.rows:
        study.pictures[row["path"]][:, :6] = 0
    assert checked(invoke, study.write(tmp_path / "d")) == {}
