"""Value and sigma by maximum likelihood of a normal distribution.

The weight of each sample is its variance to the power beta, so that samples which the network calls noisy
are still fitted (Seitzer, Tavakoli, Antic, Martius, "On the Pitfalls of Heteroscedastic Uncertainty
Estimation with Probabilistic Neural Networks", ICLR 2022, arXiv 2203.09168, with their beta = 0.5).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from analyte.train.heads.head import Head, HeadTensors
from analyte.train.heads.linear import targets
from analyte.train.label_scale import LabelScale

_BETA = 0.5
_LEAST_SIGMA = 1e-3
"""Fraction of the scaled range: keeps the likelihood finite on pictures that are learned by heart."""
_START_SIGMA = 0.2


def _build(features: Any, scale: LabelScale) -> HeadTensors:
    span = scale.high - scale.low
    raw = keras.layers.Dense(2, name="head_gaussian")(features)
    z = keras.layers.Rescaling(span / 2.0, (scale.low + scale.high) / 2.0)(raw[:, 0])
    # softplus(x) is 0.69 at the start, where x is about 0.
    spread = keras.ops.softplus(raw[:, 1])
    sigma = keras.layers.Rescaling(_START_SIGMA * span / 0.69, _LEAST_SIGMA * span)(spread)
    return HeadTensors(keras.ops.stack([z, sigma], axis=-1), z, sigma)


def _loss(name: str, scale: LabelScale) -> Callable[[Any, Any], Any]:
    def likelihood(true: Any, fitted: Any) -> Any:
        z, sigma = fitted[:, 0], fitted[:, 1]
        negative = keras.ops.log(sigma) + 0.5 * keras.ops.square((true - z) / sigma)
        return keras.ops.stop_gradient(sigma ** (2.0 * _BETA)) * negative

    return likelihood


HEAD = Head(
    name="gaussian",
    help="Value and sigma by likelihood (beta-NLL): where noise differs from picture to picture.",
    build=_build,
    targets=targets,
    losses=("likelihood",),
    loss=_loss,
)
