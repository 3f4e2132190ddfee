"""Profiles: the ones that are shipped, and ones that nobody would write."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyte.contract.errors import AnalyteError, ProfileError
from analyte.contract.profile import load_profile
from analyte.runtime.engines.registry import ENGINES
from runtime.tiny_bundles import write_profile

CONFIGS = sorted((Path(__file__).parents[2] / "device_configs").glob("*.toml"))
KEYS = [
    "device",
    "device.id",
    "camera.source",
    "camera.max_age_s",
    "engine",
    "engine.name",
    "measure.regions",
]
VALUES = [
    "1",
    "-1",
    "nan",
    "inf",
    '""',
    '"x"',
    "[]",
    "{}",
    "true",
    "1979-05-27",
    "[{}]",
    "{ x = 1 }",
    "1e400",
]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_shipped_profiles(path: Path) -> None:
    profile = load_profile(path)
    assert profile.engine.provider in ENGINES[profile.engine.name].providers
    assert set(profile.engine.fallback) <= set(ENGINES[profile.engine.name].providers)


@settings(max_examples=50)
@given(
    st.text(max_size=60)
    | st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(VALUES)), max_size=5).map(
        lambda pairs: "\n".join(f"{key} = {value}" for key, value in pairs)
    )
)
def test_any_text_gives_a_profile_or_one_line(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "p.toml"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        error = profile_error(path)
    if error is not None:
        assert error.exit_code == 3
        assert "\n" not in error.line()
        assert "p.toml" in error.line()


def profile_error(path: Path) -> AnalyteError | None:
    try:
        load_profile(path)
    except AnalyteError as error:
        return error
    return None


def test_unknown_key_is_named(tmp_path: Path) -> None:
    path = write_profile(tmp_path / "p.toml", camera="sorce = 1")
    with pytest.raises(ProfileError, match=r"p\.toml: camera\.sorce: unknown key"):
        load_profile(path)
