"""A plain linear output, fitted by a loss between numbers."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from analyte.contract.arrays import Float32Array, Float64Array
from analyte.train.heads.constant_sigma import constant_sigma
from analyte.train.heads.head import Head, HeadTensors
from analyte.train.label_scale import LabelScale
from analyte.train.losses import LOSSES, scalar_loss


def _build(features: Any, scale: LabelScale) -> HeadTensors:
    # Starts in the middle of the range: on an unscaled label the way there is long.
    start = keras.initializers.Constant((scale.low + scale.high) / 2.0)
    z = keras.layers.Dense(1, bias_initializer=start, name="head_value")(features)[:, 0]
    return HeadTensors(z, z, constant_sigma(features, scale))


def targets(z: Float64Array, scale: LabelScale) -> Float32Array:
    """Return z itself."""
    return z.astype(np.float32)


HEAD = Head(
    name="linear",
    help="One linear output, any loss; sigma is one number for all pictures.",
    build=_build,
    targets=targets,
    losses=tuple(LOSSES),
    loss=scalar_loss,
    learns_sigma=False,
)
