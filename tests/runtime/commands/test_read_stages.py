"""``analyte read`` with a profile whose stages are switched on: it measures as the device does."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from analyte.contract.errors import ProfileError, SettingsError
from analyte.contract.sections.region import MarkerSection
from analyte.runtime.regions.fixed import FixedRegions
from analyte.runtime.regions.markers import MarkerRegions
from runtime.commands.test_read import read, readings, refused
from runtime.regions.test_markers import HEIGHT, IDS, WIDTH, instrument, shoot, view
from runtime.tiny_bundles import value_of, write_picture, write_profile

WELLS = """
[region.wells]
rows = 1
columns = 2
first = [16, 24]
last = [48, 24]
size = 20
"""


@pytest.fixture
def plate(tmp_path: Path) -> Path:
    pixels = np.full((48, 64, 3), 200, np.uint8)
    pixels[8:40, :32], pixels[8:40, 32:] = (10, 20, 100), (10, 20, 50)
    path = tmp_path / "plate.png"
    assert cv2.imwrite(str(path), pixels)
    return path


def test_wells_of_a_plate(bundle: Path, plate: Path, tmp_path: Path) -> None:
    profile = write_profile(tmp_path / "p.toml", measure=WELLS)
    outcome = read(bundle, plate, "--device", profile)
    assert outcome.exit_code == 0, outcome.stderr
    header, *rows = (line.split() for line in outcome.stdout.splitlines())
    assert header[:2] == ["well", "value"]
    assert [row[0] for row in rows] == ["A1", "A2"]
    found = json.loads(read(bundle, plate, "--device", profile, "--json").stdout)
    assert [reading["site"] for reading in found] == ["A1", "A2"]
    for reading, red in zip(found, (100, 50), strict=True):
        assert reading["value"] == pytest.approx(value_of((10, 20, red)), abs=1e-3)


def test_region_of_the_command_line_goes_before_the_profile(
    bundle: Path, plate: Path, tmp_path: Path
) -> None:
    profile = write_profile(tmp_path / "p.toml", measure=WELLS)
    outcome = read(bundle, plate, "--device", profile, "--region", "36,12,20,20", "--json")
    (reading,) = json.loads(outcome.stdout)
    assert reading["value"] == pytest.approx(value_of((10, 20, 50)), abs=1e-3)


def test_pictures_of_another_size_than_the_profile_demands(bundle: Path, plate: Path, tmp_path: Path) -> None:
    boxes = "[region.boxes]\nsample = { x = 0, y = 0, w = 20, h = 20 }\n"
    profile = write_profile(tmp_path / "p.toml", camera="width = 640\nheight = 480", measure=boxes)
    outcome = read(bundle, plate, "--device", profile, "--json")
    (reading,) = json.loads(outcome.stdout)
    assert (outcome.exit_code, reading["reason"]) == (1, "bad_frame")
    assert "another size" in reading["detail"]
    assert reading["detail"].endswith("expected 640x480; got 64x48")


def test_what_holds_for_frames_only_is_said(bundle: Path, plate: Path, tmp_path: Path) -> None:
    profile = write_profile(
        tmp_path / "p.toml",
        camera="controls = { gain = 2 }",
        measure="frames = 5\nmax_spread = 1\n[quality]\nmotion = { refuse_above = 0.02 }\n",
    )
    outcome = read(bundle, plate, "--device", profile)
    assert outcome.exit_code == 0
    assert (
        "each picture is a reading of its own; of the profile, camera.controls, measure.frames = 5, "
        "measure.max_spread, quality.motion is not used"
    ) in outcome.stderr
    plain = read(bundle, plate, "--device", write_profile(tmp_path / "q.toml"))
    assert "not used" not in plain.stderr


def test_below_detection(bundle: Path, tmp_path: Path) -> None:
    picture = write_picture(tmp_path / "low.png", (0, 0, 5))
    profile = write_profile(tmp_path / "p.toml", measure="lod = 4.0")
    outcome = read(bundle, picture, "--device", profile)
    assert outcome.exit_code == 0
    assert outcome.stdout.splitlines()[1].split()[:4] == ["<", "4", "mg/L", "below_lod"]
    assert "refused" not in outcome.stderr


def test_picture_of_nothing(bundle: Path, tmp_path: Path) -> None:
    outcome = read(bundle, write_picture(tmp_path / "cap.png", (0, 0, 0)))
    assert "refused  exposure" in outcome.stdout
    assert "black" in outcome.stdout


CIRCLE = "[region.circle]\nx = 32\ny = 24\nradius = 18\n"
MARKERS = f"[region.markers]\nids = {list(IDS)}\nwidth = {WIDTH}\nheight = {HEIGHT}\n"


class TestPictureOfEachView:
    """Two pictures make one sample: what the profile says of regions holds for each of them."""

    @pytest.mark.parametrize(("region", "key"), [(CIRCLE, "circle"), (WELLS, "wells")])
    def test_what_finds_one_region_is_refused(
        self, two_view_bundle: Path, plate: Path, tmp_path: Path, region: str, key: str
    ) -> None:
        profile = write_profile(tmp_path / "p.toml", measure=region)
        line = refused(ProfileError, two_view_bundle, plate, plate, "--device", profile)
        assert f"region.{key}: finds one region per reading" in line

    def test_markers_rectify_each(self, two_view_bundle: Path, tmp_path: Path) -> None:
        taken, rectified = [], []
        finder = MarkerRegions(
            MarkerSection(ids=IDS, width=WIDTH, height=HEIGHT), FixedRegions({}), where="p.toml"
        )
        for name, red in (("reference", 90), ("sample", 30)):
            drawn = instrument()
            drawn[200:320, 200:520] = (20, 40, red)
            frame = shoot(drawn, view(turn_deg=20))
            taken.append(tmp_path / f"{name}.png")
            rectified.append(tmp_path / f"{name}_rectified.png")
            assert cv2.imwrite(str(taken[-1]), frame)
            assert cv2.imwrite(str(rectified[-1]), finder.locate(frame).pixels)
        profile = write_profile(tmp_path / "p.toml", measure=MARKERS)
        (expected,) = readings(two_view_bundle, *rectified)
        (found,) = readings(two_view_bundle, *taken, "--device", profile)
        assert found["value"] == pytest.approx(expected["value"], abs=1e-4)
        assert found["frame_sha256"] == expected["frame_sha256"]


def test_region_beside_markers_says_not_of_which_picture(bundle: Path, plate: Path, tmp_path: Path) -> None:
    profile = write_profile(tmp_path / "p.toml", measure=MARKERS)
    line = refused(SettingsError, bundle, plate, "--device", profile, "--region", "0,0,20,20")
    assert "--region: with [region.markers], pixels are those of the rectified picture" in line
