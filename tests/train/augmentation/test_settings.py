"""The domains: what each may change."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest

from analyte.train.augmentation import AUGMENTATIONS, Augmentation


def test_none_changes_nothing() -> None:
    assert AUGMENTATIONS["none"](True) == AUGMENTATIONS["none"](False) == Augmentation()


@pytest.mark.parametrize("name", ["lab", "field"])
def test_turns_and_mirrors_only_where_they_leave_the_value(name: str) -> None:
    free, upright = AUGMENTATIONS[name](True), AUGMENTATIONS[name](False)
    assert free.rotation
    assert free.flip
    assert upright == dataclasses.replace(free, rotation=False, flip=False)


def test_field_is_at_least_as_strong_as_lab() -> None:
    lab, field = (dataclasses.asdict(AUGMENTATIONS[name](True)) for name in ("lab", "field"))
    del lab["jpeg_quality"], field["jpeg_quality"]
    assert all(field[name] >= lab[name] for name in lab)
    # What a rig avoids.
    assert all(field[f"{name}_share"] > lab[f"{name}_share"] == 0 for name in ("glare", "blur", "jpeg"))


def test_names_need_no_tensorflow() -> None:
    """The command line offers them without the wait."""
    code = "import sys, analyte.train.augmentation; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
