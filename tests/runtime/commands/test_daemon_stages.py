"""The daemon with stages switched on in its profile: bursts, refused frames, detection limits, wells."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from analyte.contract.imaging import read_image
from runtime.conftest import Analyte
from runtime.tiny_bundles import value_of, write_picture, write_profile


def run(analyte: Analyte, profile: Path, bundle: Path, source: Path) -> tuple[list[dict[str, object]], str]:
    result = analyte("daemon", "--device", profile, "--bundle", bundle, "--source", source)
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()], result.stderr


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """Seven pictures, the reds of the first three and of the next three around 100 and 50."""
    folder = tmp_path / "frames"
    folder.mkdir()
    for number, red in enumerate((100, 101, 102, 50, 51, 52, 80)):
        write_picture(folder / f"{number}.png", (0, 0, red))
    return folder


class TestBursts:
    def test_median_of_so_many_frames(
        self, analyte: Analyte, bundle: Path, frames: Path, tmp_path: Path
    ) -> None:
        profile = write_profile(tmp_path / "p.toml", measure="frames = 3")
        readings, err = run(analyte, profile, bundle, frames)
        assert "3 readings" in err
        for reading, red in zip(readings, (101, 51), strict=False):
            assert reading["value"] == pytest.approx(value_of((0, 0, red)), abs=1e-4)
            assert reading["frames"] == 3
            assert reading["spread"] == pytest.approx(100 / 255, abs=1e-3)

    def test_unfinished_burst_at_the_end_is_refused(
        self, analyte: Analyte, bundle: Path, frames: Path, tmp_path: Path
    ) -> None:
        profile = write_profile(tmp_path / "p.toml", measure="frames = 3")
        last = run(analyte, profile, bundle, frames)[0][-1]
        assert (last["refused"], last["reason"], last["value"]) == (True, "unsteady", None)
        assert last["detail"] == (
            "expected at least 2 of 3 frames to be good; got 1 of the 1 that there were"
        )

    def test_scatter_beyond_the_limit(
        self, analyte: Analyte, bundle: Path, frames: Path, tmp_path: Path
    ) -> None:
        profile = write_profile(tmp_path / "p.toml", measure="frames = 3\nmax_spread = 0.1")
        readings, _ = run(analyte, profile, bundle, frames)
        assert {reading["reason"] for reading in readings} == {"unsteady"}


def test_frames_of_refused_readings_are_kept(analyte: Analyte, bundle: Path, tmp_path: Path) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    write_picture(frames / "0.png", (0, 0, 100))
    write_picture(frames / "1.png", (240, 250, 240))  # 104.9 of 100, +- 1
    profile = write_profile(tmp_path / "p.toml")
    profile.write_text(profile.read_text() + '\n[storage]\nrefused_frames = "kept"\n')
    good, refused = run(analyte, profile, bundle, frames)[0]
    assert (good["refused"], good["frame_file"]) == (False, "")
    assert (refused["refused"], refused["reason"]) == (True, "out_of_range")
    kept = tmp_path / "kept" / str(refused["frame_file"])
    assert np.array_equal(read_image(kept), read_image(frames / "1.png"))
    assert list((tmp_path / "kept").iterdir()) == [kept]


def test_below_detection_is_stored_without_a_value(analyte: Analyte, bundle: Path, tmp_path: Path) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    write_picture(frames / "0.png", (0, 0, 5))
    profile = write_profile(tmp_path / "p.toml", measure="lod = 4.0")
    ((reading,), err) = run(analyte, profile, bundle, frames)
    assert "1 readings, 0 refused" in err
    assert (reading["value"], reading["upper"], reading["flags"]) == (None, 4.0, ["below_lod"])


def test_limit_of_a_bundle_that_has_none(
    analyte: Analyte, bundle: Path, frames: Path, tmp_path: Path
) -> None:
    profile = write_profile(tmp_path / "p.toml", measure='lod = "bundle"')
    result = analyte("daemon", "--device", profile, "--bundle", bundle, "--source", frames)
    assert result.returncode == 3
    assert "measure.lod: the bundle has no such limit" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("measure", "says"),
    [
        ("lod = 100.0", "measure.lod: no value of the range would be reported; expected less than 100 mg/L"),
        ("lod = 20.0\nloq = 10.0", "measure.loq: is below the limit of detection; expected at least 20 mg/L"),
        ('lod = "mine"', 'measure.lod: must be a number greater than 0, in the label\'s unit, or "bundle"'),
        ("lod = -5", "measure.lod: must be a number greater than 0"),
        ('frames = 2\n[storage]\npath = ""', "storage.path: must name a file or a folder of its own"),
        ('frames = 2\n[storage]\nrefused_frames = "."', "storage.refused_frames: must name a file"),
        ("frames = 2\ninterval_s = 0.5", "expected 0 where measure.frames is more than 1"),
    ],
)
def test_impossible_profiles_are_refused(
    analyte: Analyte, bundle: Path, frames: Path, tmp_path: Path, measure: str, says: str
) -> None:
    profile = write_profile(tmp_path / "p.toml", measure=measure)
    result = analyte("daemon", "--device", profile, "--bundle", bundle, "--source", frames)
    assert (result.returncode, result.stdout) == (3, "")
    assert says in result.stderr
