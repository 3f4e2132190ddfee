"""The finder that a profile asks for, and bundles that it does not fit."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from analyte.contract.errors import ProfileError
from analyte.contract.preprocessing import Box
from analyte.contract.sections.region import RegionSection
from analyte.runtime.regions.registry import finder_of

CIRCLE = {"x": 100, "y": 100, "radius": 40}
WELLS = {"rows": 2, "columns": 3, "first": (50, 50), "last": (150, 100), "size": 20}
MARKERS = {"ids": (0, 1, 2, 3), "width": 200, "height": 150}


def find(given: dict[str, Any], pixels: np.ndarray[Any, Any], views: tuple[str, ...] = ("sample",)) -> Any:
    return finder_of(RegionSection.model_validate(given), views, where="p.toml").locate(pixels)


def marked() -> np.ndarray[Any, Any]:
    """Draw markers whose centres lie 200 by 150 px apart, from 60, 60, and a disc at 100, 100 from
    there."""
    frame = np.full((300, 360, 3), 200, np.uint8)
    known = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50)
    for number, (x, y) in enumerate([(60, 60), (260, 60), (260, 210), (60, 210)]):
        frame[y - 18 : y + 18, x - 18 : x + 18] = cv2.aruco.generateImageMarker(known, number, 36)[..., None]
    cv2.circle(frame, (150, 130), 35, (90, 30, 130), -1, cv2.LINE_AA)
    return frame


def test_the_whole_frame() -> None:
    frame = np.zeros((10, 10, 3), np.uint8)
    located = find({}, frame)
    assert located.pixels is frame
    assert located.sites[0].boxes == {}


def test_wells_between_markers() -> None:
    located = find({"markers": MARKERS, "wells": WELLS}, marked())
    assert located.pixels.shape == (150, 200, 3)
    assert [site.name for site in located.sites] == ["A1", "A2", "A3", "B1", "B2", "B3"]
    assert located.sites[1].boxes["sample"] == Box(x=90, y=40, w=20, h=20)


def test_circle_between_markers() -> None:
    located = find({"markers": MARKERS, "circle": {"x": 92, "y": 72, "radius": 36, "margin": 1}}, marked())
    box = located.sites[0].boxes["sample"]
    assert (box.x + box.w / 2, box.y + box.h / 2, box.w / 2) == pytest.approx((90.5, 70.5, 35.5), abs=1)


def test_boxes_of_two_views_between_markers() -> None:
    boxes = {
        "reference": {"x": 0, "y": 0, "w": 20, "h": 20},
        "sample": {"x": 60, "y": 40, "w": 60, "h": 60},
    }
    located = find({"markers": MARKERS, "boxes": boxes}, marked(), ("reference", "sample"))
    assert located.sites[0].boxes["sample"] == Box(x=60, y=40, w=60, h=60)


@pytest.mark.parametrize(
    "given", [{"circle": CIRCLE}, {"wells": WELLS}, {"markers": MARKERS, "wells": WELLS}]
)
def test_bundles_of_several_views(given: dict[str, Any]) -> None:
    key = "circle" if "circle" in given else "wells"
    with pytest.raises(ProfileError) as caught:
        finder_of(RegionSection.model_validate(given), ("reference", "sample"), where="p.toml")
    line = caught.value.line()
    assert line.startswith(f"p.toml: region.{key}: ")
    assert "expected a bundle of one view; got views reference, sample" in line


def test_views_without_boxes_are_refused_with_markers_too() -> None:
    with pytest.raises(ProfileError, match="no region for view reference, sample"):
        finder_of(RegionSection.model_validate({"markers": MARKERS}), ("reference", "sample"), where="p.toml")
