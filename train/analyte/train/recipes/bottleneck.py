"""A narrow waist between two wider layers, and the strongest response anywhere in the picture."""

from __future__ import annotations

from typing import Any

import keras

from analyte.train.recipes.blocks import convolved
from analyte.train.recipes.recipe import Recipe

_WIDE = 32
_NARROW = 16


def _trunk(pictures: Any) -> Any:
    pictures = keras.layers.MaxPooling2D(2)(convolved(pictures, _WIDE))
    pictures = keras.layers.MaxPooling2D(2)(convolved(pictures, _NARROW))
    return keras.layers.GlobalMaxPooling2D()(convolved(pictures, _WIDE))


RECIPE = Recipe(
    name="bottleneck",
    help="32-16-32 channels and a global maximum: small, looks for the strongest spot.",
    trunk=_trunk,
    size_step=4,
)
