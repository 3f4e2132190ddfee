"""Searching for a round well: where it is to sub-pixels, and saying no."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from analyte.contract.arrays import UInt8Array
from analyte.contract.reading import Reason
from analyte.contract.sections.region import CircleSection
from analyte.runtime.refusal import Refusal
from analyte.runtime.regions.circle import CircleRegion
from analyte.runtime.regions.circle_search import CircleSearch
from analyte.train.simulator.chemistry import REACTIONS
from analyte.train.simulator.config import SimulationConfig
from analyte.train.simulator.scene import Frame, expose_well, liquid_profile, plate_texture
from analyte.train.simulator.sensor import Development, develop, digitise, mean_electrons
from analyte.train.simulator.studio import Studio

WIDTH, HEIGHT = 320, 240


def photograph(
    x: float, y: float, radius: float, *, reaction: str = "griess", value: float = 200.0, number: int = 0
) -> UInt8Array:
    """Simulate a 320x240 frame with a well, pixels."""
    rng = np.random.default_rng(number)
    studio = Studio(SimulationConfig(samples=9, seed=5, reaction=reaction, sessions=3))
    specimen, frame = studio.specimen(number), Frame(HEIGHT, WIDTH, 40, 0, HEIGHT)
    geometry = replace(
        specimen.geometry, center_x=(x - 40) / HEIGHT, center_y=y / HEIGHT, radius=radius / HEIGHT
    )
    profile = liquid_profile(REACTIONS[reaction], value, specimen.session, geometry)
    raw = expose_well(profile, specimen.session, geometry, frame, plate_texture(rng, frame))
    return develop(digitise(mean_electrons(raw), rng), Development.of(specimen.session))


def disc(x: float, y: float, radius: float, width: int = WIDTH, height: int = HEIGHT) -> UInt8Array:
    """Draw a dark disc, pixels from the edge, its rim smooth over a pixel."""
    columns, rows = np.arange(width) + 0.5, np.arange(height)[:, None] + 0.5
    inside = np.clip(radius - np.hypot(columns - x, rows - y) + 0.5, 0, 1)[..., None]
    return np.asarray(np.rint(210 - inside * np.array([20, 120, 40])), np.uint8)


def region(x: float = 160, y: float = 120, radius: float = 60, **more: float) -> CircleRegion:
    return CircleRegion(CircleSection(x=x, y=y, radius=radius, **more), "sample")


def refused(finder: CircleRegion, pixels: UInt8Array) -> Refusal:
    with pytest.raises(Refusal) as caught:
        finder.locate(pixels)
    return caught.value


@pytest.mark.parametrize(
    ("reaction", "value"),
    [
        ("griess", 0.0),
        ("griess", 200.0),
        ("griess", 2000.0),
        ("brilliant-blue", 0.0),
        ("brilliant-blue", 20.0),
        ("phenol-red", 5.0),
        ("phenol-red", 11.0),
    ],
)
@pytest.mark.parametrize("number", [0, 1, 2])
def test_wells_from_clear_to_dark(reaction: str, value: float, number: int) -> None:
    x, y, radius = 160 + 11.3 * number, 120 - 6.7 * number, 52 + 7.4 * number
    picture = photograph(x, y, radius, reaction=reaction, value=value, number=number)
    found = CircleSearch(160, 120, 60, 0.5).find(picture)
    assert found is not None
    assert math.hypot(found.x - x, found.y - y) <= 0.02 * radius
    assert found.radius == pytest.approx(radius, rel=0.02)
    assert found.support >= 0.8


@pytest.mark.parametrize("radius", [17.0, 60.0, 300.0])
def test_one_edge_to_a_tenth_of_a_pixel(radius: float) -> None:
    size = math.ceil(3 * radius)
    x, y = size / 2 + 0.07 * radius, size / 2 - 0.11 * radius
    found = CircleSearch(size / 2, size / 2, 1.08 * radius, 0.5).find(disc(x, y, radius, size, size))
    assert found is not None
    assert (found.x, found.y) == pytest.approx((x, y), abs=max(0.1, 0.001 * radius))
    assert found.radius == pytest.approx(radius, abs=max(0.15, 0.002 * radius))
    assert found.support == 1.0


def test_square_around_the_well() -> None:
    picture = disc(150.0, 124.0, 50.0)
    before = picture.copy()
    located = region(radius=55, margin=1.5).locate(picture)
    assert located.pixels is picture
    assert np.array_equal(picture, before)
    (site,) = located.sites
    box = site.boxes["sample"]
    assert (box.x, box.y, box.w, box.h) == pytest.approx((75, 49, 150, 150), abs=1)
    assert (site.name, site.coverage) == ("", 1.0)


def test_square_is_pushed_back_into_the_frame_a_little() -> None:
    # The square of 135 px would begin at -5.
    (site,) = region(x=62, radius=50).locate(disc(62.5, 120, 50)).sites
    box = site.boxes["sample"]
    assert (box.x, box.w, box.h) == (0, 135, 135)
    assert site.coverage == pytest.approx(130 / 135, abs=0.01)


def test_square_that_does_not_fit() -> None:
    refusal = refused(region(x=55, radius=50, margin=1.5), disc(55, 120, 50))
    assert refusal.reason is Reason.BAD_FRAME
    assert "square of 150 px" in refusal.detail
    assert "got 320x240" in refusal.detail
    assert refused(region(margin=3), disc(160, 120, 60)).reason is Reason.BAD_FRAME


@pytest.mark.parametrize(
    ("x", "radius"), [(160 + 0.35 * 60, 60), (160 - 0.35 * 60, 60), (160, 60 * 0.7), (160, 60 * 1.3)]
)
def test_moved(x: float, radius: float) -> None:
    refusal = refused(region(), disc(x, 120, radius))
    assert refusal.reason is Reason.MOVED
    assert refusal.detail.startswith("expected a well of radius 60 px around 160, 120, each within 15 px; ")
    assert f"around {x:.0f}." in refusal.detail or f"around {x - 0.1:.0f}." in refusal.detail


def test_tolerance_is_that_of_the_profile() -> None:
    assert region(tolerance=0.4).locate(disc(160 + 0.35 * 60, 120, 60)).sites[0].coverage == 1.0


def empty(kind: str) -> UInt8Array:
    rng = np.random.default_rng(3)
    if kind == "noise":
        return rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    if kind == "clouds":
        coarse = rng.integers(0, 256, (24, 32, 3), np.uint8)
        return np.asarray(cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), np.uint8)
    if kind == "plate":
        return photograph(-4000, 120, 60)
    grey = np.full((HEIGHT, WIDTH, 3), {"black": 0, "white": 255}.get(kind, 128), np.uint8)
    if kind == "square":
        grey[60:180, 100:220] = 30
    elif kind == "half disc":
        grey[:120] = disc(160, 120, 60)[:120]
    elif kind == "hexagon":
        turns = np.arange(6) * np.pi / 3
        corners = np.stack([160 + 60 * np.cos(turns), 120 + 60 * np.sin(turns)], axis=1).astype(np.int32)
        cv2.fillPoly(grey, [corners], (20, 20, 20))
    elif kind == "ellipse":
        cv2.ellipse(grey, (160, 120), (70, 48), 20, 0, 360, (20, 20, 20), -1)
    return grey


@pytest.mark.parametrize(
    "kind",
    ["noise", "clouds", "plate", "black", "white", "square", "half disc", "hexagon", "ellipse"],
)
def test_no_well(kind: str) -> None:
    refusal = refused(region(), empty(kind))
    assert refusal.reason is Reason.REGION_NOT_FOUND
    assert refusal.detail == "expected a well of radius 60 px around 160, 120; got none"


def test_frame_that_the_circle_is_not_in() -> None:
    assert refused(region(x=4000), disc(160, 120, 60)).reason is Reason.BAD_FRAME
    refusal = refused(region(), np.zeros((1, 1, 3), np.uint8))
    assert refusal.reason is Reason.BAD_FRAME
    assert refusal.detail.endswith("a well of radius 60 px around 160, 120; got a frame of 1x1")


def test_frames_of_another_shape_between() -> None:
    finder = region()
    first = finder.locate(disc(160, 120, 60)).sites
    finder.locate(disc(165, 121, 58, 400, 300))
    assert finder.locate(disc(160, 120, 60)).sites == first


def test_part_of_the_edge_is_hidden() -> None:
    picture = disc(160, 120, 60)
    cv2.circle(picture, (218, 120), 10, (255, 255, 255), -1)
    found = CircleSearch(160, 120, 60, 0.5).find(picture)
    assert found is not None
    assert (found.x, found.y, found.radius) == pytest.approx((160, 120, 60), abs=0.3)
    assert 0.8 <= found.support < 1.0


def test_wall_whose_edges_show_on_opposite_sides() -> None:
    # On the left the wall is as bright as the plate, on the right as dark as the liquid: one circle through
    # the visible halves would be too large and off to the side.
    x, y, radius = 163.0, 118.0, 70.0
    columns, rows = np.arange(WIDTH) + 0.5, np.arange(HEIGHT)[:, None] + 0.5
    far = np.hypot(columns - x, rows - y)
    wall = 200 - 40 * np.clip(0.5 + 1.2 * (columns - x) / np.maximum(far, 1), 0, 1)
    inside, within = np.clip(radius - far + 0.5, 0, 1), np.clip(1.07 * radius - far + 0.5, 0, 1)
    grey = 160 * inside + wall * (within - inside) + 200 * (1 - within)
    found = CircleSearch(160, 120, 66, 0.5).find(np.repeat(np.rint(grey)[..., None], 3, 2).astype(np.uint8))
    assert found is not None
    assert (found.x, found.y, found.radius) == pytest.approx((x, y, radius), abs=0.5)
