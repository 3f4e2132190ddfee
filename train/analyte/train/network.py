"""Putting a network together: colour representation, shared trunk, head."""

from __future__ import annotations

from typing import Any

import keras

from analyte.contract.label import LabelSpec
from analyte.contract.run import FEATURES_LAYER
from analyte.train.histogram_head import histogram_head
from analyte.train.recipes.recipe import Recipe

REFERENCE_VIEW = "reference"
"""A view of this name shows the blank or reference zone: colours are taken relative to it."""

_FLOOR = 0.02
"""Added to intensity (0 to 1) before the logarithm: about the black level of an 8-bit camera, so that noise
in dark pixels is not blown up."""


def build_core(recipe: Recipe, label: LabelSpec, views: tuple[str, ...], size: int) -> keras.Model:
    """Build the trainable network.

    Input: uint8 ``[N, S, S, 3]`` (``[N, V, S, S, 3]`` for V > 1 views), RGB. Outputs: ``logits``, ``value``,
    ``sigma`` (see `analyte.train.histogram_head`) and ``features`` float32 ``[N, F]``: those of the views,
    one after the other.
    """
    shape = (size, size, 3) if len(views) == 1 else (len(views), size, size, 3)
    image = keras.Input(shape, dtype="uint8", name="image")
    colours = _colours(image, views)
    pictures = keras.ops.reshape(colours, (-1, size, size, colours.shape[-1]))
    features = recipe.trunk(pictures)
    features = keras.ops.reshape(features, (-1, len(views) * features.shape[-1]))
    features = keras.layers.Identity(name=FEATURES_LAYER)(features)
    head = histogram_head(features, label)
    return keras.Model(image, {**head._asdict(), "features": features}, name=recipe.name)


def _colours(image: Any, views: tuple[str, ...]) -> Any:
    """Represent colour as intensity and as absorbance, float32, 6 channels, roughly -2 to 2.

    Absorbance is -ln(I / I0) (Beer-Lambert) with I0 the mean colour of the reference view where there is one,
    and of the picture itself where there is none. The light's colour and brightness cancel in it.
    """
    intensity = keras.layers.Rescaling(1.0 / 255.0)(keras.ops.cast(image, "float32"))
    # Rescaling instead of arithmetic with Python numbers, which Keras 3.15 marks as giving sparse tensors.
    centred = keras.layers.Rescaling(4.0, -2.0)(intensity)
    blank = intensity
    if REFERENCE_VIEW in views:
        at = views.index(REFERENCE_VIEW)
        blank = intensity[:, at : at + 1]
    # Columns, then rows: one long float32 sum loses digits, differently in every engine.
    blank = keras.ops.mean(keras.ops.mean(blank, axis=-2, keepdims=True), axis=-3, keepdims=True)
    log_blank, log = (keras.ops.log(keras.layers.Rescaling(1.0, _FLOOR)(x)) for x in (blank, intensity))
    absorbance = keras.layers.Rescaling(3.0)(keras.ops.subtract(log_blank, log))
    return keras.ops.concatenate([centred, absorbance], axis=-1)
