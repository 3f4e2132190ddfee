"""The wider variant of `isotropic`, for arbitrary angles: round kernels, round windows, round field of view.

Five taps across let a kernel depend on the distance from its centre alone, smooth pooling windows depend less
on the grid than boxes, and what a turn brings into the corners of the picture is not looked at.
"""

from __future__ import annotations

from typing import Any

import keras

from analyte.train.layers.fused_normalization import FusedBatchNormalization
from analyte.train.layers.spread import OrbitConv2D
from analyte.train.recipes.recipe import Recipe
from analyte.train.recipes.symmetric import blur_pool, faded_corners, global_mean

_WIDTH = 32
_KERNEL = 5
_COARSEST = 8
"""Pooling stops when the edge is at most this, pixels: below it the border weighs too much."""
_RADIUS, _SOFTNESS = 0.48, 0.06
"""Of the field of view, in edges of the picture."""
_STEP = 8


def _block(pictures: Any, filters: int) -> Any:
    pictures = OrbitConv2D(filters, _KERNEL, sharing="rings")(pictures)
    pictures = FusedBatchNormalization(momentum=0.9)(pictures)
    return keras.layers.ReLU()(pictures)


def _trunk(pictures: Any) -> Any:
    pictures = faded_corners(pictures, _RADIUS, _SOFTNESS)
    pictures = _block(pictures, _WIDTH // 2)
    pictures = blur_pool(pictures)
    pictures = _block(pictures, _WIDTH)
    while pictures.shape[1] > _COARSEST:
        pictures = blur_pool(pictures)
        pictures = _block(pictures, _WIDTH)
    pictures = _block(pictures, _WIDTH)
    return global_mean(pictures)


RECIPE = Recipe(
    name="isotropic-wide",
    help="Round 5x5 kernels, smooth pooling, round field of view: steady at every angle.",
    trunk=_trunk,
    size_step=_STEP,
    min_size=2 * _STEP,
    invariant=True,
    colour=("rgb",),  # no surround: what a turn brings into the corners is not to be looked at
)
