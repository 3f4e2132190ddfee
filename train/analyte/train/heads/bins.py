"""Classification, then a residual: which part of the range, and where in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from analyte.contract.arrays import Float32Array, Float64Array
from analyte.train.heads.head import Head, HeadTensors
from analyte.train.label_scale import LabelScale
from analyte.train.losses import scalar_loss

BINS = 10
_LEAST_SIGMA = 1e-3
"""Fraction of the scaled range."""


def _width(scale: LabelScale) -> float:
    return (scale.high - scale.low) / BINS


def centres(scale: LabelScale) -> Float64Array:
    """Return the middle of each bin, z, ``[BINS]``."""
    result: Float64Array = scale.low + _width(scale) * (np.arange(BINS, dtype=np.float64) + 0.5)
    return result


def _build(features: Any, scale: LabelScale) -> HeadTensors:
    logits = keras.layers.Dense(BINS, name="head_logits")(features)
    # Residuals in bins: a bin may reach one width to either side, so that the ends of the range are open.
    residual = keras.layers.Dense(BINS, activation="tanh", name="head_residual")(features)
    share = keras.layers.Softmax(name="head_share")(logits)
    # Rescaling with a list adds each bin's own centre.
    at = keras.layers.Rescaling(_width(scale), centres(scale).tolist())(residual)
    z = keras.ops.sum(keras.ops.multiply(share, at), axis=-1)
    apart = keras.ops.subtract(at, keras.ops.expand_dims(z, -1))
    variance = keras.ops.sum(keras.ops.multiply(share, keras.ops.multiply(apart, apart)), axis=-1)
    least = (_LEAST_SIGMA * (scale.high - scale.low)) ** 2
    sigma = keras.ops.sqrt(keras.layers.Rescaling(1.0, least)(variance))
    return HeadTensors(keras.ops.concatenate([logits, residual], axis=-1), z, sigma)


def _targets(z: Float64Array, scale: LabelScale) -> Float32Array:
    """Return for each label its bin (one-hot) and its residual there in bins, float32 ``[N, BINS + 1]``."""
    width = _width(scale)
    index = np.clip(np.floor((z - scale.low) / width), 0, BINS - 1).astype(int)
    residual = np.clip((z - centres(scale)[index]) / width, -1.0, 1.0)
    return np.concatenate([np.eye(BINS)[index], residual[:, np.newaxis]], axis=1).astype(np.float32)


def _loss(name: str, scale: LabelScale) -> Callable[[Any, Any], Any]:
    width, middles = _width(scale), centres(scale).astype(np.float32)
    distance = scalar_loss(name, scale)

    def loss(true: Any, fitted: Any) -> Any:
        bin_of, logits, residual = true[:, :BINS], fitted[:, :BINS], fitted[:, BINS:]
        classification = keras.ops.categorical_crossentropy(bin_of, logits, from_logits=True)
        there = keras.ops.sum(bin_of * residual, axis=-1)
        middle = keras.ops.sum(bin_of * middles, axis=-1)
        return classification + distance(middle + width * true[:, BINS], middle + width * there) / width

    return loss


HEAD = Head(
    name="bins",
    help="Classification into ten parts of the range, then a residual within the part.",
    build=_build,
    targets=_targets,
    losses=("huber", "mse", "mae", "log-cosh"),
    loss=_loss,
)
