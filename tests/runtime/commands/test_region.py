"""``analyte region find``."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from analyte.contract.imaging import read_image
from conftest import Invoke
from runtime.tiny_bundles import write_picture, write_profile

CIRCLE = "[region.circle]\nx = 160\ny = 120\nradius = 60\n"


def write_well(path: Path, x: int = 164, radius: int = 60) -> Path:
    picture = np.full((240, 320, 3), 200, np.uint8)
    cv2.circle(picture, (x, 120), radius + 4, (120, 120, 120), -1, cv2.LINE_AA)
    cv2.circle(picture, (x, 120), radius, (150, 90, 180), -1, cv2.LINE_AA)
    assert cv2.imwrite(str(path), picture)
    return path


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    return write_profile(tmp_path / "p.toml", measure=CIRCLE)


def test_what_is_found_is_said_and_drawn(profile: Path, tmp_path: Path, invoke: Invoke) -> None:
    image, drawn = write_well(tmp_path / "w.png"), tmp_path / "drawn.png"
    outcome = invoke("region", "find", image, "--device", profile, "--picture", drawn, "--json")
    assert outcome.code == 0, outcome.stderr
    (found,) = json.loads(outcome.stdout)
    x, y, w, h = found["sites"][0]["regions"]["sample"]
    assert (x + w / 2, y + h / 2) == pytest.approx((164, 120), abs=2)
    assert w == h == pytest.approx(2 * 1.35 * 60, abs=4)
    picture = read_image(drawn)
    assert picture.shape == (720, 960, 3)
    assert (np.abs(picture.astype(int) - (80, 200, 60)).sum(axis=2) < 30).sum() > 500


def test_what_is_not_found_is_exit_3_and_still_drawn(profile: Path, tmp_path: Path, invoke: Invoke) -> None:
    empty = write_picture(tmp_path / "e.png", (90, 90, 90), (240, 320))
    drawn = tmp_path / "drawn.png"
    outcome = invoke(
        "region", "find", write_well(tmp_path / "w.png"), empty, "--device", profile, "--picture", drawn
    )
    assert outcome.code == 3
    assert "region_not_found" in outcome.stdout
    assert "regions are not found in 1 of 2 pictures" in outcome.stderr
    assert read_image(drawn).shape == (1440, 960, 3)


def test_box_that_leaves_the_picture(tmp_path: Path, invoke: Invoke) -> None:
    profile = write_profile(
        tmp_path / "p.toml", measure="[region.boxes]\nsample = { x = 50, y = 0, w = 32, h = 32 }\n"
    )
    outcome = invoke("region", "find", write_picture(tmp_path / "a.png", (9, 9, 9)), "--device", profile)
    assert outcome.code == 3
    assert "expected regions within 64x48; got sample at 50,0,32,32" in outcome.stdout


def test_regions_are_those_of_every_view_of_the_bundle(
    tmp_path: Path, invoke: Invoke, bundle: Path, two_view_bundle: Path
) -> None:
    boxes = "[region.boxes]\nreference = { x = 0, y = 0, w = 8, h = 8 }\n"
    profile = write_profile(tmp_path / "p.toml", measure=boxes)
    picture = write_picture(tmp_path / "a.png", (9, 9, 9))
    assert invoke("region", "find", picture, "--device", profile).code == 0
    outcome = invoke("region", "find", picture, "--device", profile, "--bundle", two_view_bundle)
    assert outcome.code == 3
    assert "no region for view sample" in outcome.stderr
    outcome = invoke("region", "find", picture, "--device", profile, "--bundle", bundle)
    assert outcome.code == 3
    assert "region.boxes.reference: the bundle has no such view" in outcome.stderr


def test_picture_that_exists_is_kept(profile: Path, tmp_path: Path, invoke: Invoke) -> None:
    image, other = write_well(tmp_path / "w.png"), write_well(tmp_path / "other.png")
    before = image.read_bytes()
    outcome = invoke("region", "find", image, "--device", profile, "--picture", other)
    assert outcome.code == 3
    assert "--overwrite" in outcome.stderr
    same = invoke("region", "find", image, "--device", profile, "--picture", image, "--overwrite")
    assert (same.code, "is one of the photographs" in same.stderr) == (2, True)
    assert image.read_bytes() == other.read_bytes() == before
