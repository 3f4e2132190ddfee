"""Photographs of real charts are corrected or refused, none is detected wrongly (overlays were looked
at)."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from analyte.contract.errors import ImageError
from analyte.runtime.colour.calibrating import Wanted, calibrate

pytestmark = pytest.mark.real_data

CORRECTED = {
    "colour_c04_01.png", "colour_c08_02.png", "colour_c08_05.png",
    "plantcv_classic.png", "plantcv_colorchecker-classic-mini.jpg", "plantcv_nano.jpeg",
}  # fmt: skip
REFUSED = {
    "colour_c04_00.png": "over-exposed",
    "colour_c06_00.png": "not of one colour",  # squares are drawn over the patches
    "colour_c06_04.png": "not of one colour",
    "colour_c11_02.png": "not of one colour",
    "plantcv_calibrite-passport.png": "over-exposed",
    "plantcv_camera-trax.png": "over-exposed",
    "plantcv_source_img_plant.jpg": "outside the picture",
    "plantcv_target_img_plant_resize.jpg": "outside the picture",
    "plantcv_tobacco_leaves.jpg": "tilted",
}


def flattened(real_data: Path, name: str, folder: Path) -> Path:
    source = real_data / "colour_charts" / "images" / name
    if not source.is_file():
        pytest.skip(f"no {source}")
    # Some have transparent margins, which a device would refuse.
    picture = cv2.imread(str(source))
    assert picture is not None
    out = folder / f"{name}.png"
    cv2.imwrite(str(out), picture)
    return out


@pytest.mark.parametrize("name", sorted(CORRECTED))
def test_corrected(real_data: Path, tmp_path: Path, name: str) -> None:
    photo = flattened(real_data, name, tmp_path)
    part = calibrate([photo], Wanted("classic", None, None, (), (), 30.0, 5.0)).calibration.chart
    assert part is not None
    assert part.after.mean < part.before.mean
    assert part.left_out.mean < 6.0


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_refused(real_data: Path, tmp_path: Path, name: str) -> None:
    photo = flattened(real_data, name, tmp_path)
    with pytest.raises(ImageError, match=REFUSED[name]):
        calibrate([photo], Wanted("classic", None, None, (), (), 30.0, 5.0))
