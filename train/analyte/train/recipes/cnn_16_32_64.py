"""The network of a well-known tutorial on house prices, for comparison with its published figure.

Adrian Rosebrock, "Keras, Regression, and CNNs", pyimagesearch.com, 2019.
"""

from __future__ import annotations

from typing import Any

import keras

from analyte.train.recipes.blocks import flattened
from analyte.train.recipes.recipe import Recipe

_FILTERS = (16, 32, 64)
_WIDE, _NARROW = 16, 4
"""Units of the two dense layers."""
_DROPOUT = 0.5


def _trunk(pictures: Any) -> Any:
    # The tutorial's network gets 0 to 1, and so its zero padding is black; a colour plane is -2 to 2.
    pictures = keras.layers.Rescaling(0.25, 0.5)(pictures)
    for filters in _FILTERS:
        pictures = keras.layers.Conv2D(filters, 3, padding="same")(pictures)
        # The rectifier comes before the normalization, as it does there.
        pictures = keras.layers.BatchNormalization()(keras.layers.ReLU()(pictures))
        pictures = keras.layers.MaxPooling2D(2)(pictures)
    wide = keras.layers.Dense(_WIDE)(flattened(pictures))
    wide = keras.layers.BatchNormalization()(keras.layers.ReLU()(wide))
    return keras.layers.Dense(_NARROW, activation="relu")(keras.layers.Dropout(_DROPOUT)(wide))


RECIPE = Recipe(
    name="cnn-16-32-64",
    help="The tutorial network for house prices: three convolutions, dense layers of 16 and 4 units.",
    trunk=_trunk,
    colour=("rgb",),
    against_reference=(),
    head="linear",
    loss="mape",
    hidden=0,
    learning_rate=1e-3,
)
