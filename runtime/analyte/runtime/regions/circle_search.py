"""Where in a frame a round thing of about a known size lies: coarse search, then a fit of its edge.

Coarse: on a picture scaled down to some sixteen pixels per radius, every candidate centre and radius is
scored by how well the gradients along the circle point along its radii. Gradients count by direction,
squared as complex numbers so that dark on bright and bright on dark are one (the idea of Bigun's
symmetry operators and of the Hough transform by phase, Atherton & Kerbyson 1999), and by strength only
as far as noise: a clear liquid is found like a dark one. Fine: on the frame itself, the edges along 96
radii are located, the circle that most of them agree on is found by counting, and a robust
least-squares fit gives it to sub-pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from analyte.contract.arrays import Float32Array, UInt8Array
from analyte.runtime.regions.edge_fit import Circle, fit_edge

_COARSE_RADIUS = 16.0
"""Pixels per expected radius in the coarse search."""
_COARSE_ANGLES = 40
_CENTRE_STEP = 2
"""Between candidate centres, coarse pixels: an edge is three wide there."""
_RADIUS_STEP = 1.07
"""Ratio of neighbouring candidate radii: about a coarse pixel."""
_SMALLEST = 0.5
"""Smallest radius that is searched for, expected radii."""
_CANDIDATES = 4
_COARSE_FLOOR = 0.25
"""Coarse score, -1 to 1, below which nothing is worth a closer look; wells reach 0.5 and more."""
_CERTAIN = 0.9
"""Support at which other candidates need not be looked at."""

IndexArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Grid:
    """What the coarse search needs to know of frames of one shape."""

    rows: slice
    columns: slice
    """The part of the frame that is looked at."""
    size: tuple[int, int]
    """Width and height of that part when scaled down, coarse pixels."""
    centres: Float32Array
    """Candidate centres, ``[C, 2]``, x and y in coarse pixels."""
    radii: Float32Array
    """Candidate radii, ``[R]``, coarse pixels."""
    border: int
    """Zeros put around the coarse picture, so that no index leaves it."""
    indices: IndexArray
    """Where each candidate samples the padded picture, flat, ``[C, R, A]``."""


class CircleSearch:
    """Searches frames for a circle near an expected one. Not for use by two threads at once."""

    def __init__(self, x: float, y: float, radius: float, reach: float) -> None:
        """Take the expected circle, pixels, and how far to search around it, expected radii."""
        self._x, self._y, self._radius, self._reach = x, y, radius, reach
        # A whole number of pixels becomes one: OpenCV averages those several times faster.
        self._factor = max(1, round(radius / _COARSE_RADIUS))
        turns = np.arange(_COARSE_ANGLES) * (2 * np.pi / _COARSE_ANGLES)
        self._directions = np.stack([np.cos(turns), np.sin(turns)], axis=1)
        # conj(exp(2 i angle)): a gradient along the radius, of either sign, gives +1.
        self._template = np.exp(-2j * turns).astype(np.complex64)
        self._shape: tuple[int, ...] = ()
        self._grid: _Grid | None = None

    def find(self, pixels: UInt8Array) -> Circle | None:
        """Return the best supported circle of a frame, uint8 ``[H, W, 3]``, BGR; None where there is
        none."""
        if pixels.shape != self._shape:
            self._grid, self._shape = self._grid_for(pixels.shape), pixels.shape
        if self._grid is None:
            return None
        best: Circle | None = None
        for x, y, radius in self._candidates(pixels, self._grid):
            found = fit_edge(pixels, x, y, radius)
            if found is not None and (best is None or found.support > best.support):
                best = found
            if best is not None and best.support >= _CERTAIN:
                break
        return best

    def _grid_for(self, shape: tuple[int, ...]) -> _Grid | None:
        """Return the grid for frames ``[H, W, 3]``; None where the search area lies outside them."""
        height, width = shape[:2]
        span = self._radius * (1.15 + 2 * self._reach)
        left, top = max(0, math.floor(self._x - span)), max(0, math.floor(self._y - span))
        size = (
            (min(width, math.ceil(self._x + span)) - left) // self._factor,
            (min(height, math.ceil(self._y + span)) - top) // self._factor,
        )
        if min(size) < 8:
            return None
        expected = self._radius / self._factor
        lowest, highest = expected * max(1 - self._reach, _SMALLEST), expected * (1 + self._reach)
        count = math.ceil(math.log(highest / lowest) / math.log(_RADIUS_STEP)) + 1
        radii = np.geomspace(lowest, highest, count).astype(np.float32)
        # From a centre of a pixel, hence no half.
        x, y = (self._x - left) / self._factor - 0.5, (self._y - top) / self._factor - 0.5
        steps = math.ceil(self._reach * expected / _CENTRE_STEP)
        offsets = np.arange(-steps, steps + 1) * float(_CENTRE_STEP)
        dx, dy = (axis.ravel() for axis in np.meshgrid(offsets, offsets))
        inside = dx**2 + dy**2 <= (self._reach * expected + _CENTRE_STEP) ** 2
        inside &= (np.abs(x + dx - size[0] / 2) <= size[0] / 2) & (
            np.abs(y + dy - size[1] / 2) <= size[1] / 2
        )
        centres = np.stack([x + dx[inside], y + dy[inside]], axis=1).astype(np.float32)
        if not len(centres):
            return None
        border = math.ceil(highest) + 2
        points = centres[:, None, None, :] + radii[None, :, None, None] * self._directions[None, None]
        at = np.rint(points).astype(np.int64) + border
        indices = at[..., 1] * (size[0] + 2 * border) + at[..., 0]
        return _Grid(
            slice(top, top + size[1] * self._factor),
            slice(left, left + size[0] * self._factor),
            size,
            centres,
            radii,
            border,
            indices,
        )

    def _candidates(self, pixels: UInt8Array, grid: _Grid) -> list[tuple[float, float, float]]:
        """Return x, y and radius, pixels of the frame, of what may be a circle, the best first."""
        area = pixels[grid.rows, grid.columns]
        small = cv2.resize(area, grid.size, interpolation=cv2.INTER_AREA)
        field = _radial_field(small)
        padded = np.pad(field, grid.border)
        scores = (padded.ravel()[grid.indices] @ self._template).real / _COARSE_ANGLES
        chosen: list[tuple[float, float, float]] = []
        order = np.argpartition(-scores.ravel(), min(80, scores.size - 1))[:80]
        for flat in order[np.argsort(-scores.ravel()[order])]:
            at, size = np.unravel_index(flat, scores.shape)
            if scores[at, size] < _COARSE_FLOOR or len(chosen) == _CANDIDATES:
                break
            x = (float(grid.centres[at, 0]) + 0.5) * self._factor + grid.columns.start
            y = (float(grid.centres[at, 1]) + 0.5) * self._factor + grid.rows.start
            radius = float(grid.radii[size]) * self._factor
            if all(math.hypot(x - a, y - b) + abs(radius - r) > 0.3 * r for a, b, r in chosen):
                chosen.append((x, y, radius))
        return chosen


def _radial_field(small: cv2.typing.MatLike) -> npt.NDArray[np.complex64]:
    """Return exp(2 i direction) of the gradient of each pixel, times its strength against the noise, 0
    to 1.

    ``small``: uint8 ``[h, w, 3]``. Of the three channels the one with the strongest gradient counts.
    """
    across = cv2.Sobel(small, cv2.CV_32F, 1, 0, scale=0.125)
    down = cv2.Sobel(small, cv2.CV_32F, 0, 1, scale=0.125)
    gradient = across + 1j * down
    strength = np.abs(gradient)
    channel = strength.argmax(axis=2)[..., None]
    gradient = np.take_along_axis(gradient, channel, axis=2)[..., 0]
    strength = np.take_along_axis(strength, channel, axis=2)[..., 0]
    noise = max(0.7, 1.5 * float(np.median(strength)))
    return np.asarray(gradient**2 / (strength * (strength + noise) + 1e-6), np.complex64)
