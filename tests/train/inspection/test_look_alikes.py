"""Pictures that resemble each other too much to be of two specimens are to be looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import Invoke
from train.inspection.planted import Planted, checked, resaved, severities, sound, to_levels


def add_again(study: Planted, other: float, **changes: str) -> None:
    """Add a picture of the first day again, a share of another specimen's mixed in, as the last day's."""
    row, second = study.of(sample="s00-4")[0], study.of(sample="s01-4")[0]
    picture = study.pictures[row["path"]]
    mixed = to_levels((1.0 - other) * picture + other * study.pictures[second["path"]])
    study.add(row, resaved(mixed, 95), sample="again", group="day13", session="day13", **changes)


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize(("other", "kind"), [(0.0, "resaved"), (0.12, "look-alikes")])
def test_across_splits_or_groups(
    invoke: Invoke, tmp_path: Path, other: float, kind: str, split: bool
) -> None:
    study = sound()
    if split:
        add_again(study, other, split="test")
        expected = {f"{kind}-splits": "error" if kind == "resaved" else "warning"}
    else:
        study.drop("split")
        add_again(study, other)
        expected = {f"{kind}-groups": "warning"}
    found = checked(invoke, study.write(tmp_path / "d"))
    assert severities(found) == expected
    (entry,) = found.values()
    assert entry["pairs"] == [["s00-4", "again"]]


def test_half_another_specimen_is_another(invoke: Invoke, tmp_path: Path) -> None:
    study = sound()
    add_again(study, 0.5, split="test")
    assert checked(invoke, study.write(tmp_path / "d")) == {}
