"""The inner edge of a well whose wall is seen in part only."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from analyte.contract.arrays import UInt8Array
from analyte.runtime.regions.edge_fit import fit_edge

RADIUS, CENTRE = 100.0, 200.0
"""Of the inner edge, pixels."""


def faint_wall(outer: float, inner_seen: float, outer_seen: float, turn: float) -> UInt8Array:
    """Draw a clear wall of which each edge shows along an arc only, fading out at both ends of it.

    ``outer``: outer radius, inner radii. ``inner_seen``, ``outer_seen``: lengths of the arcs, rad.
    ``turn``: by how much the middle of the outer arc is off the opposite of the inner one's, rad.
    """
    rows, columns = np.mgrid[0:400, 0:400]
    angle = np.arctan2(rows - CENTRE, columns - CENTRE)
    distance = np.hypot(columns - CENTRE, rows - CENTRE)
    level = np.full((400, 400), 120.0)
    for radius, seen, middle, step in (
        (RADIUS, inner_seen, 0.0, 40.0),
        (outer * RADIUS, outer_seen, np.pi + turn, -40.0),
    ):
        along = (angle - middle + seen / 2) % (2 * np.pi)
        strength = np.clip(np.minimum(along, seen - along) / 0.15, 0, 1)
        fading = np.exp(-np.maximum(distance - radius, 0) / (0.5 * RADIUS))
        level += step * strength * fading / (1 + np.exp(radius - distance))
    blurred = cv2.GaussianBlur(level, (0, 0), 1)
    return np.repeat(np.clip(blurred, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


@pytest.mark.parametrize(
    ("wall", "guess"),
    [
        ((1.074, 3.75, 3.25, 0.41), (4.7, 9.2, 1.051)),
        ((1.1, 3.3, 3.03, 0.67), (4.4, -7.7, 1.05)),
    ],
)
def test_both_edges_of_a_faint_wall_count_together(
    wall: tuple[float, float, float, float], guess: tuple[float, float, float]
) -> None:
    right, down, scale = guess
    circle = fit_edge(faint_wall(*wall), CENTRE + right, CENTRE + down, RADIUS * scale)
    assert circle is not None
    assert (circle.x, circle.y, circle.radius) == pytest.approx((CENTRE, CENTRE, RADIUS), abs=1)
