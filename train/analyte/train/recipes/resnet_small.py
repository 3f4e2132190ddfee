"""Convolutions with shortcuts, which let a deeper network learn.

After He et al., "Deep Residual Learning for Image Recognition", CVPR 2016 (arXiv 1512.03385): the
network for small pictures of its section 4.2, with two blocks per stage (14 layers).
"""

from __future__ import annotations

from typing import Any

import keras

from analyte.train.recipes.blocks import convolved, normalized
from analyte.train.recipes.recipe import Recipe

_STAGES = (16, 32, 64)
"""Filters of each stage; its edge is half that of the stage before."""
_BLOCKS = 2


def _plain(pictures: Any, filters: int, kernel_size: int, strides: int = 1) -> Any:
    """Convolve and normalize, without the rectifier: the sum with the shortcut comes first."""
    convolution = keras.layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
    )
    return normalized(convolution(pictures))


def _block(pictures: Any, filters: int, strides: int) -> Any:
    changed = _plain(convolved(pictures, filters, strides=strides), filters, 3)
    same_shape = strides == 1 and pictures.shape[-1] == filters
    shortcut = pictures if same_shape else _plain(pictures, filters, 1, strides)
    return keras.layers.ReLU()(keras.layers.Add()([changed, shortcut]))


def _trunk(pictures: Any) -> Any:
    pictures = convolved(pictures, _STAGES[0])
    for stage, filters in enumerate(_STAGES):
        for block in range(_BLOCKS):
            pictures = _block(pictures, filters, strides=2 if stage > 0 and block == 0 else 1)
    return keras.layers.GlobalAveragePooling2D()(pictures)


RECIPE = Recipe(
    name="resnet-small",
    help="Six residual blocks of 16, 32 and 64 channels: deep for its size.",
    trunk=_trunk,
    size_step=4,
    learning_rate=2e-3,
)
