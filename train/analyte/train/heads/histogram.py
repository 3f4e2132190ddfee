"""A distribution over the range instead of a single number.

The label becomes a Gaussian spread over bins, the network learns the bins by cross-entropy, and the value is
the mean of what it predicts: easier to fit than a squared error, and it says how sure it is (HL-Gaussian:
Imani and White, "Improving Regression Performance with Distributional Losses", ICML 2018, arXiv 1806.04613).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from scipy.special import ndtr

from analyte.contract.arrays import Float32Array, Float64Array
from analyte.train.heads.head import Head, HeadTensors
from analyte.train.label_scale import LabelScale

BINS = 32
_MARGIN = 0.1
"""How far the bins reach beyond the range on either side, as a fraction of it: a value at the end of the
range keeps its whole Gaussian, and values beyond it can be seen and refused."""
_SPREAD = 0.75
"""Standard deviation of the Gaussian, in bins (the paper's recommendation)."""


def bin_edges(scale: LabelScale) -> Float64Array:
    """Return the edges of the bins, z, ``[BINS + 1]``."""
    reach = _MARGIN * (scale.high - scale.low)
    return np.linspace(scale.low - reach, scale.high + reach, BINS + 1)


def targets(z: Float64Array, scale: LabelScale) -> Float32Array:
    """Return the share of each label's Gaussian in each bin, float32 ``[N, BINS]``; rows sum to 1."""
    edges = bin_edges(scale)
    # A label beyond all bins has no share anywhere: it counts as one at the end of them.
    z = np.clip(z, edges[0], edges[-1])
    deviation = _SPREAD * (edges[1] - edges[0])
    cumulative = ndtr((edges[np.newaxis] - z[:, np.newaxis]) / deviation)
    shares = np.diff(cumulative, axis=1)
    normalized: Float32Array = (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
    return normalized


def _build(features: Any, scale: LabelScale) -> HeadTensors:
    logits = keras.layers.Dense(BINS, name="head_logits")(features)
    share = keras.layers.Softmax(name="head_share")(logits)
    # Moments about the middle in half widths of all bins: small numbers keep float32 exact.
    edges = bin_edges(scale)
    middle, half = (scale.low + scale.high) / 2.0, (edges[-1] - edges[0]) / 2.0
    centres = ((edges[1:] + edges[:-1]) / 2.0 - middle) / half
    moments = keras.layers.Dense(
        2,
        use_bias=False,
        trainable=False,
        kernel_initializer=keras.initializers.Constant(np.stack([centres, centres**2], axis=1).tolist()),
        name="head_moments",
    )(share)
    first, second = moments[:, 0], moments[:, 1]
    variance = keras.ops.subtract(second, keras.ops.multiply(first, first))
    width = (edges[1] - edges[0]) / half
    # What bins add to the variance of a perfect prediction: the labels' Gaussian, and the width of a bin
    # (Sheppard's correction, width squared over 12).
    spread = float(np.sqrt((_SPREAD * width) ** 2 + width**2 / 12.0))
    # A tenth of the spread is the least that the bins can tell apart from certainty.
    excess = keras.layers.Rescaling(1.0, -(spread**2))(variance)
    floor = keras.layers.ReLU(threshold=0.0)(keras.layers.Rescaling(1.0, -((0.1 * spread) ** 2))(excess))
    sigma = keras.ops.sqrt(keras.layers.Rescaling(1.0, (0.1 * spread) ** 2)(floor))
    return HeadTensors(
        fitted=logits,
        z=keras.layers.Rescaling(half, middle)(first),
        sigma=keras.layers.Rescaling(half)(sigma),
    )


def _loss(name: str, scale: LabelScale) -> Callable[[Any, Any], Any]:
    return lambda true, fitted: keras.ops.categorical_crossentropy(true, fitted, from_logits=True)


HEAD = Head(
    name="histogram",
    help="A distribution over 32 bins of the range (HL-Gaussian): the most accurate, with its own sigma.",
    build=_build,
    targets=targets,
    losses=("cross-entropy",),
    loss=_loss,
)
