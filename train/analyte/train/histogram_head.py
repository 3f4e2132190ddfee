"""The head: a distribution over the range instead of a single number.

The label becomes a Gaussian spread over bins, the network learns the bins by cross-entropy, and the value is
the mean of what it predicts: easier to fit than a squared error, and it says how sure it is (HL-Gaussian:
Imani and White, "Improving Regression Performance with Distributional Losses", ICML 2018, arXiv 1806.04613).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np
from scipy.special import ndtr

from analyte.contract.arrays import Float32Array, Float64Array
from analyte.contract.label import LabelSpec

BINS = 32
_MARGIN = 0.1
"""How far the bins reach beyond the range on either side, as a fraction of it: a value at the end of the
range keeps its whole Gaussian, and values beyond it can be seen and refused."""
_SPREAD = 0.75
"""Standard deviation of the Gaussian, in bins (the paper's recommendation)."""
_HIDDEN = 32


class Head(NamedTuple):
    """Symbolic tensors of a head."""

    logits: Any
    """float32 ``[N, BINS]``: what training fits."""
    value: Any
    """float32 ``[N]``, label's unit: the mean of the distribution."""
    sigma: Any
    """float32 ``[N]``, label's unit: its standard deviation less the spread of the labels."""


def bin_edges(label: LabelSpec) -> Float64Array:
    """Return the edges of the bins, ``[BINS + 1]``, label's unit."""
    reach = _MARGIN * label.span
    return np.linspace(label.low - reach, label.high + reach, BINS + 1)


def targets(values: Float64Array, label: LabelSpec) -> Float32Array:
    """Return the share of each label's Gaussian in each bin, float32 ``[N, BINS]``; rows sum to 1."""
    edges = bin_edges(label)
    deviation = _SPREAD * (edges[1] - edges[0])
    cumulative = ndtr((edges[np.newaxis] - values[:, np.newaxis]) / deviation)
    shares = np.diff(cumulative, axis=1)
    normalized: Float32Array = (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
    return normalized


def histogram_head(features: Any, label: LabelSpec) -> Head:
    """Build the head on features ``[N, F]``."""
    hidden = keras.layers.Dense(_HIDDEN, activation="relu", name="head_hidden")(features)
    logits = keras.layers.Dense(BINS, name="head_logits")(hidden)
    share = keras.layers.Softmax(name="head_share")(logits)
    # Moments about the middle of the range in half widths of all bins: small numbers keep float32 exact.
    edges = bin_edges(label)
    middle, half = (label.low + label.high) / 2.0, (edges[-1] - edges[0]) / 2.0
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
    return Head(
        logits=logits,
        value=keras.layers.Rescaling(half, middle, name="value")(first),
        sigma=keras.layers.Rescaling(half, name="sigma")(sigma),
    )
