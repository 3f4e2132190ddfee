"""The figures of a photograph's quality. What each one tells, and how well, is in docs/quality.md."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import cv2
import numpy as np

from analyte.contract.arrays import UInt8Array
from analyte.contract.preprocessing import Box

FigureName = Literal["coverage", "exposure", "light", "clipped", "motion", "focus", "glare"]

_GRID = 48
"""Edge of the grid of pixels that stands for a region where a share of pixels is asked for."""
_ROWS = 32
"""Pairs of rows that focus looks at, less than twice as many."""
_LAG = 2
"""Distance of the pixels that focus compares, pixels."""
_CLIPPED_FROM = 254
_LARGEST_SPOT = _GRID * _GRID // 16
"""Larger patches of white are no glare but paper, points of the grid."""
_SPOT_CONTRAST = 32
"""How many levels a glare spot is brighter than the region's median."""
_WHITE_FROM = 200
"""Least level of a near-white pixel's smallest channel."""
_RING = 8
"""The ring around a region is an eighth of its edge wide."""
_EVERY = 8
"""Rows of that ring that one stands for."""


@dataclass(frozen=True)
class Look:
    """What one view of one site shows."""

    frame: UInt8Array
    """uint8 ``[H, W, 3]``, BGR, 0 to 255."""
    box: Box | None
    """Region of the view, pixels, within the frame; None for the whole frame."""
    picture: UInt8Array
    """The cut-out, uint8 ``[S, S, 3]``, RGB, 0 to 255."""
    before: UInt8Array | None = None
    """The cut-out of the frame before, as ``picture``; None where there is none."""
    coverage: float = 1.0
    """Share of what was looked for that lies within the frame, 0 to 1."""
    light_level: float = 1.0
    """Level of the surround where the light's ratio is 1, 0 to 1."""
    region: UInt8Array = field(init=False)
    """The region at full resolution, uint8 ``[h, w, 3]``, BGR: a view of the frame, not a copy."""

    def __post_init__(self) -> None:
        box, frame = self.box, self.frame
        region = frame if box is None else frame[box.y : box.y + box.h, box.x : box.x + box.w]
        object.__setattr__(self, "region", region)

    @cached_property
    def extremes(self) -> tuple[UInt8Array, UInt8Array]:
        """Smallest and largest channel of the region's pixels in a regular grid, not averaged.

        Each uint8 ``[48, 48]``.
        """
        picked = cv2.resize(self.region, (_GRID, _GRID), interpolation=cv2.INTER_NEAREST)
        blue, green, red = cv2.split(picked)
        least = cv2.min(cv2.min(blue, green), red)
        most = cv2.max(cv2.max(blue, green), red)
        return np.asarray(least, np.uint8), np.asarray(most, np.uint8)


def focus(look: Look) -> float:
    """Return the root mean square difference of pixels two apart over sqrt(2) standard deviations.

    That is sqrt(1 - r) for an autocorrelation of r over two pixels: 0 for a smooth picture, 1 for noise, and
    for what would be more, such as squares of two pixels; NaN for one colour. The numerator is Brenner's
    gradient (Brenner et al. 1976, J. Histochem. Cytochem. 24:100); dividing by the variance frees it from
    brightness and from contrast, hence from the concentration.
    Grey levels, both directions, every n-th row so that 32 to 63 pairs are looked at where there are as many.
    """
    step = max(1, len(look.region) // _ROWS)
    upper, lower = look.region[:-_LAG:step], look.region[_LAG::step]
    count = min(len(upper), len(lower))
    if count == 0 or look.region.shape[1] <= _LAG:
        return math.nan
    here = cv2.cvtColor(upper[:count], cv2.COLOR_BGR2GRAY)
    below = cv2.cvtColor(lower[:count], cv2.COLOR_BGR2GRAY)
    _, deviation = cv2.meanStdDev(here)
    variance = float(deviation[0, 0]) ** 2
    if variance == 0.0:
        return math.nan
    left, right = here[:, :-_LAG], here[:, _LAG:]
    across = cv2.norm(left, right, cv2.NORM_L2SQR) / left.size
    down = cv2.norm(here, below, cv2.NORM_L2SQR) / here.size
    return min(1.0, math.sqrt((across + down) / 2 / (2 * variance)))


def clipped(look: Look) -> float:
    """Return the share of pixels with a channel of at least 254 or with all channels at 0, 0 to 1.

    Of a grid of 48 x 48 pixels: steps of 0.0004; a true share of 1 % comes out as 0.6 to 1.4 %.
    """
    most = look.extremes[1]
    count = np.count_nonzero(most >= _CLIPPED_FROM) + np.count_nonzero(most == 0)
    return float(count) / most.size


def exposure(look: Look) -> float:
    """Return the mean level of the cut-out over its channels, 0 (black) to 1 (255)."""
    return _level(look.picture)


def glare(look: Look) -> float:
    """Return the share of pixels in small, near-white spots that are brighter than the median, 0 to 1.

    Of the smallest channel, which only white light raises: at least 200, and at least 32 levels above the
    region's median. Small: connected, at most a sixteenth of the region, and away from its border, where a
    white surround reaches in. Of a grid of 48 x 48 pixels. The figure and its constants are this project's
    own.
    """
    least = look.extremes[0]
    # A quarter of the points says as well where the middle is.
    few = least[::2, ::2]
    median = int(np.partition(few, few.size // 2, axis=None)[few.size // 2])
    above = max(_WHITE_FROM, median + _SPOT_CONTRAST) - 1
    _, white = cv2.threshold(least, above, 1, cv2.THRESH_BINARY)
    if not cv2.countNonZero(white):
        return 0.0
    # The algorithm and the type are the quickest of those that OpenCV has, the result is the same.
    found = cv2.connectedComponentsWithStatsWithAlgorithm(white, 8, cv2.CV_16U, cv2.CCL_BBDT)
    # Rows: the background first. Columns: left, top, width, height, area; a loop beats arrays of a few rows.
    spots: list[list[int]] = found[2][1:].tolist()
    inside = [
        area
        for left, top, width, height, area in spots
        if left > 0 and top > 0 and left + width < _GRID and top + height < _GRID
    ]
    return sum(area for area in inside if area <= _LARGEST_SPOT) / least.size


def motion(look: Look) -> float | None:
    """Return the mean absolute difference from the cut-out before, 0 to 1 (255 levels); None for the first.

    The cut-out before is first scaled to the mean level of this one: a lamp that flickers does not move.
    NaN after a black frame.
    """
    if look.before is None:
        return None
    level = _level(look.before)
    if level == 0.0:
        return math.nan
    scaled = cv2.convertScaleAbs(look.before, alpha=_level(look.picture) / level)
    return cv2.norm(look.picture, scaled, cv2.NORM_L1) / (255.0 * look.picture.size)


def coverage(look: Look) -> float:
    """Return the share of what was looked for that lies within the frame, 0 to 1."""
    return look.coverage


def light(look: Look) -> float:
    """Return the level of the region's surround over ``light_level``, 0 or more.

    The surround is a ring of an eighth of the region's edge around it, as far as it lies in the frame; where
    nothing does, as with the whole frame, the same ring within the cut-out.
    """
    strips = [strip for strip in _outside(look) if strip.size]
    if not strips:
        edge = max(1, len(look.picture) // _RING)
        inner = look.picture[edge:-edge, :edge], look.picture[edge:-edge, -edge:]
        strips = [look.picture[:edge], look.picture[-edge:], *inner]
    pixels = sum(strip.size for strip in strips)
    return sum(_level(strip) * strip.size for strip in strips) / pixels / look.light_level


def _outside(look: Look) -> tuple[UInt8Array, ...]:
    """Return the four sides of the ring around the region, some of them empty; rows are thinned out."""
    if look.box is None:
        return ()
    box, frame = look.box, look.frame
    wide = max(_EVERY, min(box.w, box.h) // _RING)
    left, top = max(0, box.x - wide), max(0, box.y - wide)
    right, bottom = box.x + box.w, box.y + box.h
    return (
        frame[top : box.y : _EVERY, left : right + wide],
        frame[bottom : bottom + wide : _EVERY, left : right + wide],
        frame[box.y : bottom : _EVERY, left : box.x],
        frame[box.y : bottom : _EVERY, right : right + wide],
    )


def _level(pixels: UInt8Array) -> float:
    """Return the mean of ``[..., 3]`` over pixels and channels, 0 to 1."""
    blue, green, red, _ = cv2.mean(pixels)
    return (blue + green + red) / (3 * 255.0)


FIGURES: Mapping[FigureName, Callable[[Look], float | None]] = {
    "coverage": coverage,
    "exposure": exposure,
    "light": light,
    "clipped": clipped,
    "motion": motion,
    "focus": focus,
    "glare": glare,
}
"""In the order in which one explains the next: the first that refuses gives the reason."""
