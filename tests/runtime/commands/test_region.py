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


def colours(picture: Path) -> set[str]:
    """Return which of the drawing's colours stand in a picture."""
    pixels = read_image(picture).astype(int)
    known = {"green": (80, 200, 60), "red": (60, 60, 230), "yellow": (0, 210, 255)}
    return {name for name, bgr in known.items() if (np.abs(pixels - bgr).sum(axis=2) < 30).sum() > 60}


def test_expected_and_found_circle_are_drawn(profile: Path, tmp_path: Path, invoke: Invoke) -> None:
    drawn = tmp_path / "good.png"
    image = write_well(tmp_path / "w.png")
    assert invoke("region", "find", image, "--device", profile, "--picture", drawn).code == 0
    assert colours(drawn) == {"green", "yellow"}
    moved, drawn = write_well(tmp_path / "m.png", x=183), tmp_path / "moved.png"
    assert invoke("region", "find", moved, "--device", profile, "--picture", drawn).code == 3
    assert colours(drawn) == {"red", "yellow"}
    # The found circle stands where the well is, the expected one where the profile says.
    pixels = read_image(drawn).astype(int)
    red = np.abs(pixels[: 2 * 240] - (60, 60, 230)).sum(axis=2) < 30
    assert np.flatnonzero(red.any(axis=0)).mean() == pytest.approx(3 * 183, abs=12)


def test_markers_and_where_they_should_be_are_drawn(tmp_path: Path, invoke: Invoke) -> None:
    from runtime.regions.test_markers import HEIGHT, IDS, WIDTH, instrument

    image, drawn = tmp_path / "i.png", tmp_path / "drawn.png"
    assert cv2.imwrite(str(image), instrument())
    section = (
        f"[region.markers]\nids = {list(IDS)}\nwidth = {WIDTH}\nheight = {HEIGHT}\n"
        "expected = [[60, 60], [660, 60], [660, 460], [60, 400]]\ntolerance_px = 15\n"
    )
    profile = write_profile(tmp_path / "p.toml", measure=section)
    outcome = invoke("region", "find", image, "--device", profile, "--picture", drawn)
    assert outcome.code == 3
    assert "moved" in outcome.stdout
    assert colours(drawn) == {"red", "yellow"}


def test_one_bad_picture_does_not_end_the_run(profile: Path, tmp_path: Path, invoke: Invoke) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "1.png").write_bytes(b"damaged")
    write_well(folder / "2.png")
    drawn = tmp_path / "drawn.png"
    outcome = invoke("region", "find", folder, "--device", profile, "--picture", drawn, "--json")
    assert outcome.code == 3
    bad, good = json.loads(outcome.stdout)
    assert (bad["reason"], bad["sites"]) == ("bad_frame", [])
    assert "1.png: not a readable picture" in bad["detail"]
    assert len(good["sites"]) == 1
    assert "regions are not found in 1 of 2 pictures" in outcome.stderr
    assert read_image(drawn).shape == (720, 960, 3)


def test_only_png_is_drawn(profile: Path, tmp_path: Path, invoke: Invoke) -> None:
    image = write_well(tmp_path / "w.png")
    outcome = invoke("region", "find", image, "--device", profile, "--picture", tmp_path / "x.jpg")
    assert (outcome.code, ".png" in outcome.stderr) == (2, True)
    assert not (tmp_path / "x.jpg").exists()


def test_pictures_of_another_size(tmp_path: Path, invoke: Invoke) -> None:
    image = write_well(tmp_path / "w.png")
    profile = write_profile(tmp_path / "p.toml", camera="width = 640\nheight = 480", measure=CIRCLE)
    outcome = invoke("region", "find", image, "--device", profile)
    assert outcome.code == 3
    assert "than camera.width and camera.height demand; expected 640x480; got 320x240" in outcome.stdout
    profile = write_profile(tmp_path / "p.toml", measure=CIRCLE.replace("160", "480"))
    outcome = invoke("region", "find", image, "--device", profile)
    assert "bad_frame" in outcome.stdout
    assert "a well of radius 60 px around 480, 120; got a frame of 320x240" in outcome.stdout


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
