"""What a person does to bundles is in the trail before it is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from analyte.contract.errors import OutputError
from analyte.contract.event import Role
from analyte.contract.profile import load_profile
from analyte.runtime.bundles.changes import BundleChanges, Person
from analyte.runtime.bundles.shelf import Shelf
from runtime.bundles.test_swap import NEW, OLD, MemoryTrail
from runtime.tiny_bundles import write_profile


def test_a_choice_that_cannot_be_recorded_is_not_made(tmp_path: Path) -> None:
    profile, shelf = write_profile(tmp_path / "p.toml"), Shelf(tmp_path / "shelf")
    for one in (OLD, NEW):
        shelf.path(one).write_bytes(b"")
        shelf.activate(one)
    changes = BundleChanges(shelf, load_profile(profile), profile, MemoryTrail(full=True))
    kim = Person("kim", Role.SUPERVISOR, "trial")
    with pytest.raises(OutputError):
        changes.promote(kim, OLD)
    with pytest.raises(OutputError):
        changes.roll_back(kim)
    assert (shelf.state().active, shelf.state().previous) == (NEW, OLD)
