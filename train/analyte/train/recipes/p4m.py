"""Group-equivariant convolutions over all four quarter turns and their mirror images.

Cohen and Welling, "Group Equivariant Convolutional Networks", ICML 2016. Filters need not be symmetric
themselves: each is applied in eight orientations, so that edges and gradients have a direction until the end,
where the mean over the orientations leaves none. (Their maximum would do too, and changes ten times as much
between the angles of the group.)
"""

from __future__ import annotations

from typing import Any

import keras

from analyte.train.layers.group import (
    ORIENTATIONS,
    GroupConv2D,
    GroupNormalization2D,
    LiftingConv2D,
)
from analyte.train.recipes.recipe import Recipe
from analyte.train.recipes.symmetric import global_mean

_FIRST, _WIDTH, _LAST = 3, 6, 24
"""Features per layer; each takes eight channels."""
_COARSEST = 8
"""Pooling stops when the edge is at most this, pixels: below it the border weighs too much."""
_STEP = 8


def _normalized(pictures: Any) -> Any:
    return keras.layers.ReLU()(GroupNormalization2D()(pictures))


def _trunk(pictures: Any) -> Any:
    pictures = _normalized(LiftingConv2D(_FIRST)(pictures))
    pictures = keras.layers.AveragePooling2D(2)(pictures)
    pictures = _normalized(GroupConv2D(_WIDTH)(pictures))
    while pictures.shape[1] > _COARSEST:
        pictures = keras.layers.AveragePooling2D(2)(pictures)
        pictures = _normalized(GroupConv2D(_WIDTH)(pictures))
    pictures = _normalized(GroupConv2D(_LAST)(pictures))
    by_orientation = keras.ops.reshape(global_mean(pictures), (-1, ORIENTATIONS, _LAST))
    return keras.ops.mean(by_orientation, axis=1)


RECIPE = Recipe(
    name="p4m",
    help="Group-equivariant convolutions in four turns and their mirrors: sees directions.",
    trunk=_trunk,
    size_step=_STEP,
    min_size=2 * _STEP,
    invariant=True,
)
