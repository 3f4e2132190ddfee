"""Finding a colour chart in a photograph, and measuring its patches; or saying why not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from analyte.contract.arrays import Float64Array, UInt8Array
from analyte.contract.errors import ImageError, UnavailableError
from analyte.runtime.colour.references import COLUMNS, GREYS, ROWS, Chart
from analyte.runtime.colour.srgb import decoding

_GAP = 0.1
"""Space between two patches, in steps from patch to patch: of the Classic and of OpenCV's model of
it."""
_SAMPLED = 0.5
"""Edge of the middle of a patch that is measured, in steps: edges blur, and corners are never exact."""
_FEWEST_PIXELS = 25
_MOST_STRETCH = 1.35
"""Of a side against the opposite one: more tilt than this lights and shows the patches unevenly."""
_MOST_ANGLE_OFF_DEG = 25.0
_UNEVEN = 0.12
"""Standard deviation of linear light within a patch, relative to its brightest channel plus a tenth of
white."""
_CLIPPED_HIGH, _CLIPPED_LOW = 253, 2
_DARKEST_WHITE = 60
"""Least signal of the lightest patch, of 255: below, the dark patches are a few steps apart."""
_MOST_CLIPPED_SHARE = 0.05
_MOST_CLIPPED_PATCHES = 8
_MOST_TINT_SPREAD = 0.35
"""Spread of red and blue against green along the greys, relative."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A chart in one photograph."""

    corners: Float64Array
    """Outer corners of dark skin, bluish green, black and white, x and y in pixels, float64 ``[4,
    2]``."""
    linear: Float64Array
    """Mean linear light of each patch, float64 ``[24, 3]``, R, G, B, 0 to 1."""
    clipped: tuple[bool, ...]
    """Patches of which a channel is clipped: they say nothing about the camera."""
    areas: tuple[Float64Array, ...]
    """Corners of what was measured of each patch, pixels, float64 ``[4, 2]`` each."""


def find_chart(picture: UInt8Array, *, where: object) -> Float64Array:
    """Return the corners of the one classic chart in a photograph, uint8 ``[H, W, 3]`` BGR; see
    `Measured`.

    By OpenCV's detector. Raises: ImageError where none is found; UnavailableError for an OpenCV without
    it.
    """
    if not hasattr(cv2, "mcc"):
        raise UnavailableError(
            "this OpenCV cannot search for charts",
            got=f"OpenCV {cv2.__version__}",
            expected="5.0 or newer, which has cv2.mcc",
            fix="pip install -U opencv-python-headless, or give the chart's --corners",
        )
    detector = cv2.mcc.CCheckerDetector.create()
    detector.setColorChartType(cv2.mcc.MCC24)
    if min(picture.shape[:2]) < 100 or not detector.process(picture, 1):
        raise ImageError(
            "no colour chart found",
            where=where,
            expected="one whole ColorChecker Classic, sharp, and facing the camera",
            fix="Take the picture again with the chart in full view, or give its --corners",
        )
    box = np.asarray(detector.getListColorChecker()[0].getBox(), np.float64).reshape(4, 2)
    # The detector's box has a gap around the patches; corners are those of the patches themselves.
    edge_x, edge_y = _GAP / (COLUMNS + _GAP), _GAP / (ROWS + _GAP)
    unit = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float64)
    inner = np.array([[edge_x, edge_y], [1 - edge_x, edge_y], [1 - edge_x, 1 - edge_y], [edge_x, 1 - edge_y]])
    return _project(_homography(unit, box), inner)


def measure_chart(
    picture: UInt8Array, light: Float64Array, corners: Float64Array, chart: Chart, *, where: object
) -> Measured:
    """Measure the patches between ``corners`` and refuse what cannot be a whole, well exposed chart.

    ``picture``: uint8 ``[H, W, 3]``, BGR, where clipping is seen. ``light``: the same in linear light,
    R, G, B, ``[H, W, 3]``, dark and flat field taken out. ``corners``: pixels, ``[4, 2]``, as in
    `Measured`.
    Raises: ImageError with the reason and its figures.
    """
    _check_quad(corners, picture.shape[1], picture.shape[0], where)
    areas = _areas(corners)
    pixels = [_pixels(area, picture.shape[0], picture.shape[1]) for area in areas]
    fewest = min(len(ys) for ys, _ in pixels)
    if fewest < _FEWEST_PIXELS:
        raise ImageError(
            "the chart is too small in the picture",
            where=where,
            expected=f"at least {_FEWEST_PIXELS} pixels in the middle of every patch",
            got=fewest,
            fix="Bring it nearer to the camera",
        )
    linear = np.array([light[ys, xs].mean(axis=0) for ys, xs in pixels], np.float64)
    signals = [picture[ys, xs] for ys, xs in pixels]
    _check_uniform(signals, chart, where)
    clipped = _clipped(signals, chart, where)
    _check_greys(linear, where)
    return Measured(corners, linear, clipped, areas)


def _homography(source: Float64Array, target: Float64Array) -> Float64Array:
    matrix = cv2.getPerspectiveTransform(source.astype(np.float32), target.astype(np.float32))
    return np.asarray(matrix, np.float64)


def _project(matrix: Float64Array, points: Float64Array) -> Float64Array:
    projected = cv2.perspectiveTransform(points.reshape(-1, 1, 2), matrix)
    return np.asarray(projected, np.float64).reshape(-1, 2)


def _areas(corners: Float64Array) -> tuple[Float64Array, ...]:
    """Return the middle of each patch, pixels, ``[4, 2]`` each, by row from dark skin."""
    patch = 1.0 - _GAP
    width, height = COLUMNS - 1 + patch, ROWS - 1 + patch
    plane = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    matrix = _homography(plane, corners)
    half = _SAMPLED / 2.0
    square = np.array([[-half, -half], [half, -half], [half, half], [-half, half]])
    centres = [(column + patch / 2, row + patch / 2) for row in range(ROWS) for column in range(COLUMNS)]
    return tuple(_project(matrix, square + np.array(centre)) for centre in centres)


def _pixels(
    area: Float64Array, height: int, width: int
) -> tuple[np.ndarray[tuple[int], np.dtype[np.intp]], np.ndarray[tuple[int], np.dtype[np.intp]]]:
    """Return rows and columns of the pixels whose centre lies within a convex area."""
    low = np.maximum(np.floor(area.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(area.max(axis=0)).astype(int) + 1, [width, height])
    ys, xs = np.mgrid[low[1] : high[1], low[0] : high[0]]
    inside = np.ones(ys.shape, bool)
    for start, end in zip(area, np.roll(area, -1, axis=0), strict=True):
        (dx, dy), (x0, y0) = end - start, start
        inside &= dx * (ys - y0) - dy * (xs - x0) >= 0
    return ys[inside], xs[inside]


def _check_quad(corners: Float64Array, width: int, height: int, where: object) -> None:
    """Refuse four corners that are mirrored, tilted or outside the picture. Raises: ImageError."""
    shown = " ".join(f"{x:.0f},{y:.0f}" for x, y in corners)
    if (corners < -0.5).any() or (corners > np.array([width, height]) - 0.5).any():
        raise ImageError(
            "a part of the chart lies outside the picture",
            where=where,
            expected=f"corners within {width}x{height}",
            got=shown,
            fix="Take the picture again with the whole chart in view",
        )
    sides = np.roll(corners, -1, axis=0) - corners
    lengths = np.hypot(sides[:, 0], sides[:, 1])
    turns = sides[:, 0] * np.roll(sides[:, 1], -1) - sides[:, 1] * np.roll(sides[:, 0], -1)
    if lengths.min() < 1.0 or (turns <= 0).any():
        raise ImageError(
            "the chart is mirrored, or its corners are in another order",
            where=where,
            expected="corners of dark skin, bluish green, black, white: clockwise",
            got=shown,
        )
    stretch = max(max(lengths[i], lengths[i + 2]) / min(lengths[i], lengths[i + 2]) for i in (0, 1))
    angles = np.degrees(np.arcsin(np.clip(turns / (lengths * np.roll(lengths, -1)), -1.0, 1.0)))
    off = float(90.0 - angles.min())
    if stretch > _MOST_STRETCH or off > _MOST_ANGLE_OFF_DEG:
        raise ImageError(
            "the chart is tilted away from the camera",
            where=where,
            expected=f"opposite sides within {_MOST_STRETCH:g} x, angles within "
            f"{_MOST_ANGLE_OFF_DEG:g} degrees"
            " of right ones",
            got=f"{stretch:.2f} x, {off:.0f} degrees",
            fix="Turn the chart towards the camera",
        )


def _clipped(signals: Sequence[UInt8Array], chart: Chart, where: object) -> tuple[bool, ...]:
    """Return which patches are clipped. Raises: ImageError where a grey or too many are, or all is
    dark."""
    white = max(float(s.mean(axis=0).max()) for s in signals)
    if white < _DARKEST_WHITE:
        raise ImageError(
            "the chart is under-exposed",
            where=where,
            expected=f"the lightest patch at {_DARKEST_WHITE} and above, of 255",
            got=f"{white:.0f}",
            fix="Change exposure or light",
        )
    high = [bool((s >= _CLIPPED_HIGH).mean(axis=0).max() > _MOST_CLIPPED_SHARE) for s in signals]
    low = [bool((s <= _CLIPPED_LOW).mean(axis=0).max() > _MOST_CLIPPED_SHARE) for s in signals]
    over = [chart.patches[i] for i in range(*GREYS.indices(len(signals))) if high[i]]
    both = tuple(a or b for a, b in zip(high, low, strict=True))
    if over or sum(both) > _MOST_CLIPPED_PATCHES:
        names = over or [name for name, bad in zip(chart.patches, both, strict=True) if bad]
        raise ImageError(
            "the chart is over-exposed" if over or sum(high) >= sum(low) else "the chart is under-exposed",
            where=where,
            expected=f"no grey and at most {_MOST_CLIPPED_PATCHES} other patches at {_CLIPPED_HIGH} "
            f"and above, "
            f"or {_CLIPPED_LOW} and below, of 255",
            got=f"{len(names)}: {', '.join(names)}",
            fix="Change exposure or light",
        )
    return both


def _check_greys(linear: Float64Array, where: object) -> None:
    """Refuse a last row that does not fall from white to black in one tint. Raises: ImageError."""
    greys = np.maximum(linear[GREYS], 1e-6)
    luminance = greys @ np.array([0.2126, 0.7152, 0.0722])
    falls = luminance[:-1] / luminance[1:]
    wrong = "what was found is not a chart that stands upright, unhidden and evenly lit"
    if falls.min() < 1.1 or luminance[0] < 8.0 * luminance[-1]:
        raise ImageError(
            wrong,
            where=where,
            expected="greys that fall from white to black",
            got="linear light " + ", ".join(f"{v:.3f}" for v in luminance),
        )
    # Black is left out: stray light and the dark level colour it.
    tints = greys[:-1, [0, 2]] / greys[:-1, 1:2]
    spread = float((tints.max(axis=0) / tints.min(axis=0)).max() - 1.0)
    if spread > _MOST_TINT_SPREAD:
        raise ImageError(
            wrong,
            where=where,
            expected=f"greys of one tint within {100 * _MOST_TINT_SPREAD:g} %",
            got=f"{100 * spread:.0f} %",
        )


def _check_uniform(signals: Sequence[UInt8Array], chart: Chart, where: object) -> None:
    """Refuse patches that are not of one colour: hidden in part, or not under the grid. Raises:
    ImageError."""
    light = [decoding()[s].astype(np.float64) for s in signals]
    white = float(light[GREYS.start].mean())
    uneven = [float(s.std(axis=0).max() / (s.mean(axis=0).max() + 0.1 * white)) for s in light]
    bad = [f"{name} {100 * u:.0f} %" for name, u in zip(chart.patches, uneven, strict=True) if u > _UNEVEN]
    if bad:
        raise ImageError(
            "patches are not of one colour: hidden in part, in a shadow, reflecting, or missed",
            where=where,
            expected=f"a spread of at most {100 * _UNEVEN:g} %",
            got=f"{len(bad)} of {len(signals)}: {', '.join(bad[:4])}{', …' if len(bad) > 4 else ''}",
            fix="Uncover the chart and light it evenly, or give its --corners",
        )
