"""The yardstick: three blocks of three 3x3 convolutions, then 1x1 convolutions in place of dense layers.

After Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR
2015 (arXiv 1409.1556), with batch normalization, and all-convolutional as in Springenberg et al.,
"Striving for Simplicity", ICLR 2015 workshop (arXiv 1412.6806).
"""

from __future__ import annotations

from typing import Any

import keras

from analyte.train.recipes.blocks import convolved
from analyte.train.recipes.recipe import Recipe

_BLOCKS = (32, 64, 128)
"""Filters of each block; its edge is half that of the block before."""
_DEPTH = 3
_POINTWISE = (128, 32)
_DROPOUT = 0.3


def _trunk(pictures: Any) -> Any:
    for filters in _BLOCKS:
        for _ in range(_DEPTH):
            pictures = convolved(pictures, filters)
        pictures = keras.layers.MaxPooling2D(2)(pictures)
    for filters in _POINTWISE:
        pictures = keras.layers.Dropout(_DROPOUT)(pictures)
        pictures = convolved(pictures, filters, kernel_size=1)
    return keras.layers.GlobalAveragePooling2D()(pictures)


RECIPE = Recipe(
    name="vgg",
    help="Nine 3x3 convolutions in three blocks, then 1x1 with dropout: large, the usual yardstick.",
    trunk=_trunk,
    hidden=0,
    learning_rate=1e-3,
)
