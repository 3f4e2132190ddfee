"""Losses between scalars, by name. All are means over a batch of what a function here gives per sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras

from analyte.train.label_scale import LabelScale

Loss = Callable[[Any, Any], Any]
"""From true and predicted z, float32 ``[N]``, to a loss per sample ``[N]``."""

_HUBER_DELTA = 0.05
"""Where squared error turns into absolute error, as a fraction of the scaled range."""
_LEAST_VALUE = 0.01
"""A true value counts as at least this fraction of the range in MAPE, which has a pole at 0."""


def _mse(scale: LabelScale) -> Loss:
    return lambda true, z: keras.ops.square(true - z)


def _mae(scale: LabelScale) -> Loss:
    return lambda true, z: keras.ops.abs(true - z)


def _huber(scale: LabelScale) -> Loss:
    delta = _HUBER_DELTA * (scale.high - scale.low)

    def loss(true: Any, z: Any) -> Any:
        error = keras.ops.abs(true - z)
        bounded = keras.ops.minimum(error, delta)
        return bounded * (error - 0.5 * bounded) / delta

    return loss


def _mape(scale: LabelScale) -> Loss:
    """Relative error of the value itself, whatever the scale that the network learns on."""
    ends = [scale.value(keras.ops.convert_to_tensor([z], "float32")) for z in (scale.low, scale.high)]
    least = _LEAST_VALUE * float(keras.ops.convert_to_numpy(ends[1] - ends[0])[0])

    def loss(true: Any, z: Any) -> Any:
        value = scale.value(true)
        return keras.ops.abs(scale.value(z) - value) / keras.ops.maximum(keras.ops.abs(value), least)

    return loss


def _log_cosh(scale: LabelScale) -> Loss:
    def loss(true: Any, z: Any) -> Any:
        # ln(cosh x) without overflow.
        error = keras.ops.abs(z - true)
        return error + keras.ops.softplus(-2.0 * error) - keras.ops.log(2.0)

    return loss


LOSSES: Mapping[str, Callable[[LabelScale], Loss]] = {
    "huber": _huber,
    "mse": _mse,
    "mae": _mae,
    "mape": _mape,
    "log-cosh": _log_cosh,
}


def scalar_loss(name: str, scale: LabelScale) -> Loss:
    """Return a loss by its name."""
    return LOSSES[name](scale)
