"""Round windows on a picture: what lies in the field of view, and what surrounds it."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from analyte.contract.arrays import Float64Array

_DIGITS = 4
"""A window is written into the model's description number by number: more digits would only make it
longer."""


def circular_window(size: int, radius: float, softness: float) -> Float64Array:
    """Return a disc in the middle of a square picture, float64 ``[size, size]``, 1 inside, 0 outside.

    ``radius``: where it has fallen to one half, in edges of the picture; ``softness``: the width of the
    smooth edge, likewise.
    """
    along = (np.arange(size) + 0.5) / size - 0.5
    distance = np.hypot(along[:, np.newaxis], along)
    depth = np.clip((radius - distance) / softness + 0.5, 0.0, 1.0)
    return np.asarray(depth * depth * (3.0 - 2.0 * depth), np.float64)


def windowed(pictures: Any, window: Float64Array) -> Any:
    """Multiply pictures ``[..., H, W, C]`` by a window ``[H, W]``."""
    return keras.layers.Rescaling(window[:, :, np.newaxis].round(_DIGITS).tolist())(pictures)


def ring_windows(size: int, rings: int, softness: float) -> Float64Array:
    """Return a central disc and rings around it, float64 ``[rings, size, size]``; each sums to 1.

    Their outer radii are equal steps up to half of the edge; the last ring also takes the corners.
    ``softness``: the width of their smooth edges, in edges of the picture. Raises: ValueError when a ring
    holds no pixel.
    """
    radii = [0.5 * (ring + 1) / rings for ring in range(rings - 1)]
    discs = [circular_window(size, radius, softness) for radius in radii] + [np.ones((size, size))]
    inner = [np.zeros((size, size)), *discs[:-1]]
    windows = [disc - hole for disc, hole in zip(discs, inner, strict=True)]
    if not all(window.any() for window in windows):
        raise ValueError(f"{rings} rings need more pixels than {size} x {size}")
    return np.stack([window / window.sum() for window in windows])
