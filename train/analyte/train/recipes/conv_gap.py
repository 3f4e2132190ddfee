"""Convolutions with batch normalization, a global average and dropout: small, blind to position."""

from __future__ import annotations

from typing import Any

import keras

from analyte.train.recipes.blocks import convolved
from analyte.train.recipes.recipe import Recipe

_FILTERS = (32, 64, 128)
_DROPOUT = 0.3


def _trunk(pictures: Any) -> Any:
    *first, last = _FILTERS
    for filters in first:
        pictures = keras.layers.MaxPooling2D(2)(convolved(pictures, filters))
    pictures = keras.layers.GlobalAveragePooling2D()(convolved(pictures, last))
    return keras.layers.Dropout(_DROPOUT)(pictures)


RECIPE = Recipe(
    name="conv-gap",
    help="Three convolutions with batch normalization, global average, dropout: small and plain.",
    trunk=_trunk,
    size_step=4,
)
