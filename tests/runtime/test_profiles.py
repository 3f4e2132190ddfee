"""Profiles: the ones that are shipped, and ones that nobody would write."""

from __future__ import annotations

import re
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
    "region.boxes",
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


NAMES = {
    "coral-dev-board",
    "coral-usb",
    "intel-nuc",
    "jetson-orin",
    "nxp-imx8mp",
    "raspberry-pi-4",
    "raspberry-pi-5",
    "x86-cpu",
    "x86-cuda",
}


def test_every_device_has_a_profile() -> None:
    assert {path.stem for path in CONFIGS} == NAMES


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_shipped_profiles(path: Path) -> None:
    profile = load_profile(path)
    known = ENGINES[profile.engine.name].known
    assert profile.device.id == path.stem
    assert profile.engine.provider in known
    assert set(profile.engine.fallback) <= set(known)
    prefix = {"onnx": "onnx", "litert": "tflite"}[profile.engine.name]
    assert all(artifact.startswith(prefix) for artifact in profile.engine.artifacts)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_shipped_profiles_say_what_was_run_and_explain_their_keys(path: Path) -> None:
    text = path.read_text("utf-8")
    assert "# What was run on what:" in text
    lines = text.splitlines()
    keys = [i for i, line in enumerate(lines) if re.match(r"[a-z_.]+ =", line)]
    bare = [
        lines[i]
        for i in keys
        if lines[i].partition(" ")[0] not in SELF_EXPLAINING and not _explained(lines, i)
    ]
    assert not bare


SELF_EXPLAINING = {"schema_version"}


def _explained(lines: list[str], index: int) -> bool:
    """Whether a comment stands in the paragraph of a key, above it."""
    while lines[index]:
        if lines[index].startswith("#"):
            return True
        index -= 1
    return False


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
