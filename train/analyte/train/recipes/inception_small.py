"""Several kernel sizes side by side in every module, so that detail and surroundings are seen at once.

After Szegedy et al., "Going Deeper with Convolutions", CVPR 2015 (arXiv 1409.4842): three modules
instead of nine, with batch normalization.
"""

from __future__ import annotations

from typing import Any

import keras

from analyte.train.recipes.blocks import convolved
from analyte.train.recipes.recipe import Recipe

_STEM = 16
_MODULES = (8, 16, 24)
"""Filters of each of a module's four branches; a module's output has four times as many channels."""


def _module(pictures: Any, filters: int) -> Any:
    pooled = keras.layers.MaxPooling2D(3, strides=1, padding="same")(pictures)
    branches = [
        convolved(pictures, filters, kernel_size=1),
        convolved(convolved(pictures, filters, kernel_size=1), filters, kernel_size=3),
        # Half the channels before the widest kernel, which costs 25 products per channel.
        convolved(convolved(pictures, filters // 2, kernel_size=1), filters, kernel_size=5),
        convolved(pooled, filters, kernel_size=1),
    ]
    return keras.layers.Concatenate()(branches)


def _trunk(pictures: Any) -> Any:
    pictures = convolved(pictures, _STEM)
    for filters in _MODULES:
        pictures = keras.layers.MaxPooling2D(2)(pictures)
        pictures = _module(pictures, filters)
    return keras.layers.GlobalAveragePooling2D()(pictures)


RECIPE = Recipe(
    name="inception-small",
    help="Three modules of 1x1, 3x3 and 5x5 kernels side by side: several scales at once.",
    trunk=_trunk,
)
