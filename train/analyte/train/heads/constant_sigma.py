"""One sigma for every picture, for heads that learn a value only."""

from __future__ import annotations

from typing import Any

import keras

from analyte.train.label_scale import LabelScale

_LAYER = "head_sigma"
_START = 0.05
"""Sigma before any residual is known, as a fraction of the scaled range."""


def constant_sigma(features: Any, scale: LabelScale) -> Any:
    """Return sigma ``[N]`` on the scale of z: the same for all, until `set_sigma` knows better."""
    # A dense layer whose kernel is zero gives its bias for every sample of whatever batch.
    layer = keras.layers.Dense(
        1,
        kernel_initializer="zeros",
        bias_initializer=keras.initializers.Constant(_START * (scale.high - scale.low)),
        trainable=False,
        name=_LAYER,
    )
    return layer(features)[:, 0]


def get_sigma(core: keras.Model) -> float:
    """Return the sigma of a network whose head has a constant one, on the scale of z."""
    return float(core.get_layer(_LAYER).get_weights()[1][0])


def set_sigma(core: keras.Model, sigma: float) -> None:
    """Set the sigma of a network whose head has a constant one, on the scale of z."""
    layer = core.get_layer(_LAYER)
    kernel, bias = layer.get_weights()
    layer.set_weights([kernel, bias * 0.0 + sigma])
