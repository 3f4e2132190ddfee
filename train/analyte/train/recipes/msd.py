"""Mixed-scale dense network: every layer sees all before it, at its own dilation, at full resolution.

After Pelt and Sethian, "A mixed-scale dense convolutional neural network for image analysis", PNAS
115(2), 254-259, 2018 (doi:10.1073/pnas.1715832114). There the last layer is a 1x1 convolution to one
value per pixel; here a global average of all channels precedes it, the same for one value per picture.
"""

from __future__ import annotations

from typing import Any

import keras

from analyte.train.recipes.recipe import Recipe

_DEPTH = 20
_WIDTH = 2
"""Channels that each layer adds."""
_DILATIONS = 10
"""Layer i has dilation 1 + i mod this: reaches up to ten pixels away, without any pooling."""


def _trunk(pictures: Any) -> Any:
    for layer in range(_DEPTH):
        added = keras.layers.Conv2D(
            _WIDTH,
            3,
            dilation_rate=1 + layer % _DILATIONS,
            padding="same",
            activation="relu",
            kernel_initializer="he_normal",
        )(pictures)
        pictures = keras.layers.Concatenate()([pictures, added])
    return keras.layers.GlobalAveragePooling2D()(pictures)


RECIPE = Recipe(
    name="msd",
    help="Mixed-scale dense: 20 dilated layers of two channels, all connected; few weights, no pooling.",
    trunk=_trunk,
    size_step=1,
    learning_rate=2e-3,
)
