"""The default: orbit-shared 3x3 convolutions, symmetric pooling, averages over rings about the middle.

Every layer commutes with the quarter turns and mirrors of the square, so the value does not depend on how the
specimen lies under the camera, and nothing has to be learned for it. Sharing costs nothing on the device: the
saved model holds plain convolutions.
"""

from __future__ import annotations

from typing import Any

import keras

from analyte.train.layers.fused_normalization import FusedBatchNormalization
from analyte.train.layers.spread import OrbitConv2D
from analyte.train.recipes.recipe import Recipe
from analyte.train.recipes.symmetric import ring_means

_WIDTH = 32
_COARSEST = 8
"""Pooling stops when the edge is at most this, pixels: below it the border weighs too much."""
_STEP = 8
_RINGS = 4
"""A disc and three rings: meniscus, wall and mount are told apart from the middle of the specimen."""


def _block(pictures: Any, filters: int) -> Any:
    pictures = OrbitConv2D(filters)(pictures)
    pictures = FusedBatchNormalization(momentum=0.9)(pictures)
    return keras.layers.ReLU()(pictures)


def _trunk(pictures: Any) -> Any:
    pictures = _block(pictures, _WIDTH // 2)
    pictures = keras.layers.AveragePooling2D(2)(pictures)
    pictures = _block(pictures, _WIDTH)
    # An odd edge cannot be halved symmetrically, and far fewer pixels than eight hold no rings.
    while pictures.shape[1] > _COARSEST and pictures.shape[1] % 2 == 0:
        pictures = keras.layers.AveragePooling2D(2)(pictures)
        pictures = _block(pictures, _WIDTH)
    return ring_means(_block(pictures, _WIDTH), _RINGS)


RECIPE = Recipe(
    name="isotropic",
    help="Orbit-shared 3x3 convolutions: invariant to turns and mirrors, small, the default.",
    trunk=_trunk,
    size_step=_STEP,
    min_size=2 * _STEP,
    invariant=True,
)
