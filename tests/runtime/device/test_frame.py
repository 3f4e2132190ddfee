"""Region and white patch, tried on a frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analyte.contract.colour_calibration import save_calibration
from analyte.contract.profile import load_profile
from analyte.runtime.colour.calibrating import Wanted, calibrate
from analyte.runtime.device.finding import Finding
from analyte.runtime.device.frame import check_frame
from runtime.colour.scenes import WHITE, chart_scene, write
from runtime.tiny_bundles import write_profile


def tried(
    folder: Path, section: str, pixels: np.ndarray, views: tuple[str, ...] | None = None
) -> list[Finding]:
    path = write_profile(folder / "p.toml", measure=section)
    return check_frame(load_profile(path), path, pixels, views)


BOX = "[region.boxes]\nsample = {{ x = 10, y = 10, w = {w}, h = 20 }}\n"


def test_box_within_and_beyond_the_frame(tmp_path: Path) -> None:
    frame = chart_scene()
    (found,) = tried(tmp_path, BOX.format(w=50), frame)
    assert (found.check, found.status, found.found) == ("region", "ok", "sample at 10,10,50,20")
    (found,) = tried(tmp_path, BOX.format(w=500), frame)
    assert (found.status, found.exit_code) == ("missing", 3)
    assert found.found == "expected regions within 420x240; got sample at 10,10,500,20"


def test_views_of_the_bundle(tmp_path: Path) -> None:
    (found,) = tried(tmp_path, BOX.format(w=50), chart_scene(), ("reference", "sample"))
    assert (found.status, found.exit_code) == ("missing", 3)
    assert "no region for view reference" in found.found


def test_well_that_is_not_there_is_a_warning_and_one_that_cannot_be_is_missing(tmp_path: Path) -> None:
    circle = "[region.circle]\nx = {x}\ny = 120\nradius = 60\n"
    frame = np.full((240, 420, 3), 90, np.uint8)
    (found,) = tried(tmp_path, circle.format(x=200), frame)
    assert (found.status, found.exit_code) == ("warning", 0)
    assert "refused as region_not_found" in found.found
    (found,) = tried(tmp_path, circle.format(x=2000), frame)
    assert (found.status, found.exit_code) == ("missing", 3)


@pytest.mark.parametrize(("level", "status"), [(1.0, "ok"), (0.01, "warning")])
def test_white_patch(tmp_path: Path, level: float, status: str) -> None:
    photo = write(tmp_path / "photo.png", chart_scene())
    made = calibrate([photo], Wanted(None, None, WHITE, (), (), 30.0, 5.0))
    save_calibration(tmp_path / "c.json", made.calibration, made.maps)
    section = (
        '[colour]\ncalibration = "c.json"\n'
        f"white = {{ x = {WHITE.x}, y = {WHITE.y}, w = {WHITE.w}, h = {WHITE.h} }}\n"
    )
    region, patch = tried(tmp_path, section, chart_scene(0.7 * level * np.eye(3)))
    assert (region.status, patch.check, patch.status) == ("ok", "white patch", status)
    assert ("gains R 1.00" if status == "ok" else "too dark") in patch.found
