"""Drawing what a profile expects in a photograph, and what is there: circles and markers."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from analyte.contract.arrays import UInt8Array
from analyte.contract.sections.region import CircleSection, MarkerSection, RegionSection
from analyte.runtime.regions.circle import search_of
from analyte.runtime.regions.markers import detector_of

GREEN, RED, YELLOW = (80, 200, 60), (60, 60, 230), (0, 210, 255)
"""BGR: what was found, what is wrong, what is expected and how far it may be off."""

_SHIFT = 4
"""Circles are drawn to a sixteenth of a pixel."""


def draw_marks(
    picture: UInt8Array,
    pixels: UInt8Array,
    section: RegionSection,
    *,
    scale: float,
    rectified: bool,
    found: bool,
) -> None:
    """Draw into ``picture``, which shows ``pixels`` (uint8 ``[H, W, 3]``, BGR) at ``scale``.

    ``rectified``: whether pixels are those of the section's rectified picture. ``found``: whether all was
    where it should be.
    """
    colour = GREEN if found else RED
    if section.markers is not None and not rectified:
        _draw_markers(picture, pixels, section.markers, scale, colour)
        return
    if section.circle is not None:
        _draw_circle(picture, pixels, section.circle, scale, colour)


def _draw_circle(
    picture: UInt8Array,
    pixels: UInt8Array,
    section: CircleSection,
    scale: float,
    colour: tuple[int, int, int],
) -> None:
    centre = section.x, section.y
    _ring(picture, centre, section.radius, scale, YELLOW)
    # The ring that the found centre has to lie in.
    _ring(picture, centre, section.tolerance * section.radius, scale, YELLOW)
    seen = search_of(section).find(pixels)
    if seen is not None:
        _ring(picture, (seen.x, seen.y), seen.radius, scale, colour, thick=2)
        at = round(seen.x * scale), round(seen.y * scale)
        cv2.drawMarker(picture, at, colour, cv2.MARKER_CROSS, 14, 2)


def _draw_markers(
    picture: UInt8Array,
    pixels: UInt8Array,
    section: MarkerSection,
    scale: float,
    colour: tuple[int, int, int],
) -> None:
    corners, numbers, _ = detector_of(section, where="region.markers").detectMarkers(pixels)
    if numbers is not None:
        shown = [np.asarray(quad, np.float32) * np.float32(scale) for quad in corners]
        cv2.aruco.drawDetectedMarkers(picture, shown, np.asarray(numbers), colour)
    for number, at in zip(section.ids, section.expected or (), strict=False):
        _ring(picture, at, section.allowed_px, scale, YELLOW)
        corner = round(at[0] * scale) + 6, round(at[1] * scale)
        cv2.putText(picture, str(number), corner, cv2.FONT_HERSHEY_SIMPLEX, 0.5, YELLOW, 1, cv2.LINE_AA)


def _ring(
    picture: UInt8Array,
    centre: Sequence[float],
    radius: float,
    scale: float,
    colour: tuple[int, int, int],
    *,
    thick: int = 1,
) -> None:
    # Coordinates of profiles count from the edge of the first pixel, OpenCV's from its centre.
    fine = (1 << _SHIFT) * scale
    half = 1 << (_SHIFT - 1)
    at = round(centre[0] * fine) - half, round(centre[1] * fine) - half
    cv2.circle(picture, at, max(1, round(radius * fine)), colour, thick, cv2.LINE_AA, _SHIFT)
