"""One dataset of tubes and one network that somebody else trained, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from export.adoption.tubes import UNIT, small_network, write_tubes

SPEC = f'unit = "{UNIT}"\nunseen = "val"\n\n[input]\nblack = 0.0\nwhite = 1.0\n'


@pytest.fixture(scope="session")
def tubes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of 480 tubes of 16 days."""
    return write_tubes(tmp_path_factory.mktemp("tubes") / "data", 480)


@pytest.fixture(scope="session")
def foreign(tubes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file that analyte did not write."""
    file = tmp_path_factory.mktemp("foreign") / "any.keras"
    small_network(tubes).save(file)
    return file


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """What the model takes and gives."""
    file = tmp_path / "spec.toml"
    file.write_text(SPEC)
    return file
