"""Putting a network together: colour representation, shared trunk, head; and folding it for the device."""

from __future__ import annotations

from typing import Any

import keras

from analyte.contract.label import LabelSpec
from analyte.contract.run import FEATURES_LAYER
from analyte.train.layers import OrbitConv2D
from analyte.train.recipes.recipe import Recipe

REFERENCE_VIEW = "reference"
"""A view of this name shows the blank or reference zone: colours are taken relative to it."""

_FLOOR = 0.02
"""Added to relative intensity (0 to 1) before the logarithm: about the black level of an 8-bit camera, so
that noise in dark pixels is not blown up."""
_HIDDEN = 32


def build_core(recipe: Recipe, views: tuple[str, ...], size: int) -> keras.Model:
    """Build the trainable network.

    Input: uint8 ``[N, S, S, 3]`` (``[N, V, S, S, 3]`` for V > 1 views), RGB. Output: float32 ``[N]``, the
    standardized value. The layer named ``features`` gives float32 ``[N, F]``: the features of the views, one
    after the other.
    """
    shape = (size, size, 3) if len(views) == 1 else (len(views), size, size, 3)
    image = keras.Input(shape, dtype="uint8", name="image")
    colours = _colours(keras.ops.cast(image, "float32"), views)
    pictures = keras.ops.reshape(colours, (-1, size, size, colours.shape[-1]))
    features = recipe.trunk(pictures)
    features = keras.ops.reshape(features, (-1, len(views) * features.shape[-1]))
    features = keras.layers.Identity(name=FEATURES_LAYER)(features)
    hidden = keras.layers.Dense(_HIDDEN, activation="relu", name="head_hidden")(features)
    standardized = keras.layers.Dense(1, name="head_value")(hidden)
    return keras.Model(image, keras.ops.reshape(standardized, (-1,)), name=recipe.name)


def _colours(image: Any, views: tuple[str, ...]) -> Any:
    """Represent colour as intensity and as absorbance, float32, 6 channels, roughly -2 to 2.

    Absorbance is -log10(I / I0) (Beer-Lambert) with I0 the mean colour of the reference view where there is
    one, and full scale where there is none. It turns the light's colour and brightness into an offset.
    """
    intensity = keras.layers.Rescaling(1.0 / 255.0)(image)
    centred = keras.layers.Rescaling(4.0 / 255.0, -2.0)(image)
    # Rescaling instead of arithmetic with Python numbers, which Keras 3.15 marks as giving sparse tensors.
    log = keras.ops.log(keras.layers.Rescaling(1.0, _FLOOR)(intensity))
    if REFERENCE_VIEW in views:
        at = views.index(REFERENCE_VIEW)
        blank = keras.ops.mean(intensity[:, at : at + 1], axis=(2, 3), keepdims=True)
        log = keras.ops.subtract(log, keras.ops.log(keras.layers.Rescaling(1.0, _FLOOR)(blank)))
        absorbance = keras.layers.Rescaling(-3.0)(log)
    else:
        absorbance = keras.layers.Rescaling(-1.5, -1.5)(log)
    return keras.ops.concatenate([centred, absorbance], axis=-1)


def fold(core: keras.Model) -> keras.Model:
    """Return the same network made of stock layers only, with the same weights."""

    def stock(layer: keras.layers.Layer) -> keras.layers.Layer:
        if isinstance(layer, OrbitConv2D):
            return layer.folded()
        return layer.__class__.from_config(layer.get_config())

    folded = keras.models.clone_model(core, clone_function=stock)
    for trained, plain in zip(core.layers, folded.layers, strict=True):
        weights = trained.folded_weights() if isinstance(trained, OrbitConv2D) else trained.get_weights()
        plain.set_weights(weights)
    return folded


def finish(folded: keras.Model, label: LabelSpec, mean: float, scale: float, sigma: float) -> keras.Model:
    """Wrap a folded network into the graph contract (see `analyte.contract.run`).

    ``mean``, ``scale``: of the labels that training saw, label's unit; undone inside the graph. ``sigma``:
    the standard deviation of the validation residuals, label's unit, the same for every picture.
    """
    value = keras.layers.Rescaling(scale, mean, name="value")(folded.output)
    outputs = {
        "value": value,
        "sigma": keras.layers.Rescaling(0.0, sigma, name="sigma")(value),
        "features": folded.get_layer(FEATURES_LAYER).output,
    }
    return keras.Model(folded.input, outputs, name="analyte")
