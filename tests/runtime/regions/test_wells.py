"""A plate in one frame: names, places and edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from analyte.contract.preprocessing import Box
from analyte.contract.reading import Reason
from analyte.contract.sections.region import WellsSection
from analyte.runtime.refusal import Refusal
from analyte.runtime.regions.wells import WellRegions


def plate(**more: Any) -> WellRegions:
    """Return eight rows and twelve columns, 50 px apart, from 40, 40."""
    given = {"rows": 8, "columns": 12, "first": (40, 40), "last": (590, 390), "size": 30} | more
    return WellRegions(WellsSection(**given), "sample")


def test_names_go_row_by_row() -> None:
    names = plate().names
    assert len(names) == 96
    assert names[:2] == ("A1", "A2")
    assert names[11:13] == ("A12", "B1")
    assert names[-1] == "H12"


def test_places() -> None:
    frame = np.zeros((420, 640, 3), np.uint8)
    located = plate().locate(frame)
    assert located.pixels is frame
    boxes = {site.name: site.boxes["sample"] for site in located.sites}
    assert boxes["A1"] == Box(x=25, y=25, w=30, h=30)
    assert boxes["B1"] == Box(x=25, y=75, w=30, h=30)
    assert boxes["C7"] == Box(x=325, y=125, w=30, h=30)
    assert boxes["H12"] == Box(x=575, y=375, w=30, h=30)
    assert all(site.coverage == 1.0 for site in located.sites)


def test_turned_plate() -> None:
    turned = plate(first=(60, 40), top_right=(610, 62), last=(596, 412))
    boxes = {s.name: s.boxes["sample"] for s in turned.locate(np.zeros((480, 640, 3), np.uint8)).sites}
    assert boxes["A12"] == Box(x=595, y=47, w=30, h=30)
    assert boxes["H12"] == Box(x=581, y=397, w=30, h=30)
    assert boxes["H1"] == Box(x=31, y=375, w=30, h=30)


@pytest.mark.parametrize(
    ("more", "ends"),
    [
        ({"rows": 1, "first": (40, 40), "last": (590, 51)}, [("A1", 40, 40), ("A12", 590, 51)]),
        ({"columns": 1, "first": (40, 40), "last": (33, 390)}, [("A1", 40, 40), ("H1", 33, 390)]),
        ({"rows": 1, "columns": 1, "first": (40, 50), "last": (40, 50)}, [("A1", 40, 50)]),
    ],
)
def test_strips(more: dict[str, Any], ends: list[tuple[str, int, int]]) -> None:
    sites = plate(**more).locate(np.zeros((420, 640, 3), np.uint8)).sites
    for site, (name, x, y) in zip([sites[0], sites[-1]], [ends[0], ends[-1]], strict=True):
        assert site.name == name
        assert site.boxes["sample"] == Box(x=x - 15, y=y - 15, w=30, h=30)


@pytest.mark.parametrize(("width", "height", "well"), [(604, 405, "A12"), (605, 404, "H1"), (64, 48, "A12")])
def test_frame_that_does_not_hold_the_plate(width: int, height: int, well: str) -> None:
    with pytest.raises(Refusal) as caught:
        plate().locate(np.zeros((height, width, 3), np.uint8))
    assert caught.value.reason is Reason.BAD_FRAME
    assert f"expected a frame that holds well {well}, x,y,w,h = " in caught.value.detail
    assert caught.value.detail.endswith(f"; got {width}x{height}")


@pytest.mark.parametrize(
    ("top_right", "last"),
    [
        ((650, 650), (1000, 1000)),  # A2 and B1 in one place
        ((232, 540), (512, 624)),  # mirrored: rows go down and columns to the right
    ],
)
def test_corners_that_are_no_plates(top_right: tuple[int, int], last: tuple[int, int]) -> None:
    with pytest.raises(ValidationError, match="wells lie on each other"):
        plate(first=(100, 100), top_right=top_right, last=last, size=20)


def test_frame_that_just_holds_it() -> None:
    assert len(plate().locate(np.zeros((405, 605, 3), np.uint8)).sites) == 96
