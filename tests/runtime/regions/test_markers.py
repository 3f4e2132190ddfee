"""Four markers: rectification to a fraction of a pixel, and what is refused."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from analyte.contract.arrays import Float64Array, UInt8Array
from analyte.contract.errors import ProfileError
from analyte.contract.preprocessing import Box
from analyte.contract.reading import Reason
from analyte.contract.sections.region import MarkerSection
from analyte.runtime.refusal import Refusal
from analyte.runtime.regions.fixed import FixedRegions
from analyte.runtime.regions.markers import MarkerRegions

IDS = (3, 7, 11, 19)
WIDTH, HEIGHT = 300, 200
"""Of the rectified picture."""
EDGE = 60
"""Of a marker on the instrument, which is drawn at twice the rectified size."""
MARGIN = 60
DOTS = [(60.0, 50.0), (240.0, 50.0), (150.0, 100.0), (70.0, 160.0), (230.0, 150.0)]
"""Centres of dots, rectified pixels."""


def instrument(ids: tuple[int, ...] = IDS, dictionary: int = cv2.aruco.DICT_4X4_50) -> UInt8Array:
    """Draw the instrument at twice the rectified size, with a margin: markers at four corners, dots
    between."""
    width, height = 2 * (WIDTH + MARGIN), 2 * (HEIGHT + MARGIN)
    picture = np.full((height, width, 3), 200, np.uint8)
    known = cv2.aruco.getPredefinedDictionary(dictionary)
    corners = [(0, 0), (WIDTH, 0), (WIDTH, HEIGHT), (0, HEIGHT)]
    for number, (x, y) in zip(ids, corners, strict=True):
        left, top = 2 * x + MARGIN - EDGE // 2, 2 * y + MARGIN - EDGE // 2
        marker = cv2.aruco.generateImageMarker(known, number, EDGE)
        picture[top : top + EDGE, left : left + EDGE] = marker[..., None]
    rows, columns = np.arange(height)[:, None] + 0.5, np.arange(width) + 0.5
    for x, y in DOTS:
        far = np.hypot(columns - 2 * x - MARGIN, rows - 2 * y - MARGIN)
        picture[far < 16] = (60, 20, 160)
    return picture


def view(
    turn_deg: float = 0, tilt: float = 0, x: float = 400, y: float = 300, scale: float = 0.6
) -> Float64Array:
    """Return a homography from the instrument to a frame of 800x600, both in pixels from the edge."""
    turn = np.deg2rad(turn_deg)
    cos, sin = scale * np.cos(turn), scale * np.sin(turn)
    to_middle = np.array([[1, 0, -(WIDTH + MARGIN)], [0, 1, -(HEIGHT + MARGIN)], [0, 0, 1.0]])
    turned = np.array([[cos, -sin, 0], [sin, cos, 0], [tilt * 1e-3, tilt * 5e-4, 1]])
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]]) @ turned @ to_middle


def shoot(picture: UInt8Array, homography: Float64Array) -> UInt8Array:
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])
    centred = np.linalg.inv(half) @ homography @ half
    return np.asarray(
        cv2.warpPerspective(picture, centred, (800, 600), borderValue=(190, 190, 190)), np.uint8
    )


def finder(**more: Any) -> MarkerRegions:
    section = MarkerSection(ids=IDS, width=WIDTH, height=HEIGHT, **more)
    return MarkerRegions(section, FixedRegions({"sample": Box(x=1, y=2, w=3, h=4)}), where="p.toml")


def refused(pixels: UInt8Array, **more: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        finder(**more).locate(pixels)
    return caught.value


def dots(rectified: UInt8Array) -> Float64Array:
    """Return the centres of the dots, pixels from the edge, in the order of `DOTS`."""
    dark = np.where(rectified[..., 1] < 110, 200 - rectified[..., 1].astype(float), 0)
    centres = []
    for x, y in DOTS:
        left, top = int(x) - 14, int(y) - 14
        part = dark[top : top + 28, left : left + 28]
        rows, columns = np.mgrid[top : top + 28, left : left + 28] + 0.5
        centres.append(((part * columns).sum() / part.sum(), (part * rows).sum() / part.sum()))
    return np.array(centres)


@pytest.mark.parametrize("turn_deg", [0, 7, 45, 90, 180, 263])
@pytest.mark.parametrize("tilt", [0.0, 0.4])
@pytest.mark.parametrize("blur", [0.0, 1.2])
def test_rectified(turn_deg: float, tilt: float, blur: float) -> None:
    frame = shoot(instrument(), view(turn_deg, tilt))
    if blur:
        frame = np.asarray(cv2.GaussianBlur(frame, (0, 0), blur), np.uint8)
    before = frame.copy()
    located = finder().locate(frame)
    assert np.array_equal(frame, before)
    assert located.pixels.shape == (HEIGHT, WIDTH, 3)
    assert located.sites[0].boxes == {"sample": Box(x=1, y=2, w=3, h=4)}
    errors = np.hypot(*(dots(located.pixels) - np.array(DOTS)).T)
    assert errors.max() < 0.5


def test_one_buffer_for_all_frames() -> None:
    regions = finder()
    first = regions.locate(shoot(instrument(), view())).pixels
    second = regions.locate(shoot(instrument(), view(5))).pixels
    assert np.shares_memory(first, second)


def test_hidden_marker_is_named() -> None:
    picture = instrument()
    picture[-2 * MARGIN :, -2 * MARGIN :] = 190
    refusal = refused(shoot(picture, view()))
    assert refusal.reason is Reason.REGION_NOT_FOUND
    assert refusal.detail == ("expected markers 3, 7, 11, 19 of 4X4_50; got none for 11 (bottom right)")


def test_partly_hidden_marker() -> None:
    picture = instrument()
    picture[: MARGIN + 8, : MARGIN + 8] = 90
    assert "3 (top left)" in refused(shoot(picture, view())).detail


def test_things_between_the_markers_do_not_matter() -> None:
    picture = instrument()
    picture[220:300, 200:500] = 20
    picture[90:150, 330:390] = cv2.aruco.generateImageMarker(
        cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50), 42, 60
    )[..., None]
    assert finder().locate(shoot(picture, view(30))).sites


@pytest.mark.parametrize("kind", ["nothing", "other dictionary", "mirrored", "noise"])
def test_none_found(kind: str) -> None:
    frame = np.full((600, 800, 3), 190, np.uint8)
    if kind == "other dictionary":
        frame = shoot(instrument(dictionary=cv2.aruco.DICT_6X6_50), view())
    elif kind == "mirrored":
        frame = np.ascontiguousarray(shoot(instrument(), view())[:, ::-1])
    elif kind == "noise":
        frame = np.random.default_rng(0).integers(0, 256, frame.shape, np.uint8)
    refusal = refused(frame)
    assert refusal.reason is Reason.REGION_NOT_FOUND
    assert "got none for 3 (top left), 7 (top right), 11 (bottom right), 19 (bottom left)" in refusal.detail


def test_the_same_marker_twice() -> None:
    picture = instrument()
    picture[200:260, 300:360] = picture[MARGIN - 30 : MARGIN + 30, MARGIN - 30 : MARGIN + 30]
    assert "got marker 3 twice" in refused(shoot(picture, view())).detail


@pytest.mark.parametrize("ids", [(7, 3, 19, 11), (3, 11, 7, 19), (19, 11, 7, 3)])
def test_markers_in_another_order(ids: tuple[int, int, int, int]) -> None:
    refusal = refused(shoot(instrument(ids), view()))
    assert refusal.reason is Reason.REGION_NOT_FOUND
    assert "expected the markers clockwise, top left, top right, bottom right, bottom left" in refusal.detail


def test_moved() -> None:
    expected = tuple(
        (400 + 0.6 * (2 * x - WIDTH), 300 + 0.6 * (2 * y - HEIGHT))
        for x, y in [(0, 0), (WIDTH, 0), (WIDTH, HEIGHT), (0, HEIGHT)]
    )
    assert finder(expected=expected, tolerance_px=1).locate(shoot(instrument(), view())).sites
    moved = shoot(instrument(), view(x=412, y=296))
    assert finder(expected=expected, tolerance_px=13.5).locate(moved).sites
    refusal = refused(moved, expected=expected, tolerance_px=11.5)
    assert refusal.reason is Reason.MOVED
    # Whichever is the worst: all moved by the same.
    assert "within 11.5 px of" in refusal.detail
    assert "; got it at " in refusal.detail


def test_dictionary_and_ids_are_those_of_opencv() -> None:
    with pytest.raises(
        ProfileError, match=r"p.toml: region.markers.dictionary: .*; expected 4X4_100, .*; got 4X5"
    ):
        finder(dictionary="4X5")
    section = MarkerSection(ids=(0, 1, 2, 50), width=10, height=10)
    with pytest.raises(ProfileError, match=r"region.markers.ids: .*; expected 0 to 49 in 4X4_50; got 50"):
        MarkerRegions(section, FixedRegions({}), where="p.toml")
