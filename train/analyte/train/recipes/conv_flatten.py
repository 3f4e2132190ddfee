"""The plainest network: a few convolutions, and a dense layer that sees where everything is."""

from __future__ import annotations

from typing import Any

import keras

from analyte.train.recipes.blocks import COARSEST, flattened
from analyte.train.recipes.recipe import Recipe

_FILTERS = (16, 32, 64)
_UNITS = 64


def _trunk(pictures: Any) -> Any:
    stage = 0
    while stage < len(_FILTERS) or max(pictures.shape[1:3]) > COARSEST:
        filters = _FILTERS[min(stage, len(_FILTERS) - 1)]
        pictures = keras.layers.Conv2D(
            filters, 3, padding="same", activation="relu", kernel_initializer="he_normal"
        )(pictures)
        # Small pictures keep some places to tell apart. "same": an odd edge loses no row.
        if max(pictures.shape[1:3]) > COARSEST:
            pictures = keras.layers.MaxPooling2D(2, padding="same")(pictures)
        stage += 1
    dense = keras.layers.Dense(_UNITS, activation="relu", kernel_initializer="he_normal")
    return dense(flattened(pictures))


RECIPE = Recipe(
    name="conv-flatten",
    help="A few convolutions, then a dense layer over all places: for scenes that always lie alike.",
    trunk=_trunk,
    size_step=1,
    hidden=0,
    learning_rate=1e-3,
)
