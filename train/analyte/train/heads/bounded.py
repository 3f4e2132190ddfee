"""An output that cannot leave the declared range."""

from __future__ import annotations

from typing import Any

import keras

from analyte.train.heads.constant_sigma import constant_sigma
from analyte.train.heads.head import Head, HeadTensors
from analyte.train.heads.linear import targets
from analyte.train.label_scale import LabelScale
from analyte.train.losses import LOSSES, scalar_loss


def _build(features: Any, scale: LabelScale) -> HeadTensors:
    share = keras.layers.Dense(1, activation="sigmoid", name="head_value")(features)[:, 0]
    z = keras.layers.Rescaling(scale.high - scale.low, scale.low)(share)
    return HeadTensors(z, z, constant_sigma(features, scale))


HEAD = Head(
    name="bounded",
    help="One output that never leaves the declared range (a sigmoid), any loss.",
    build=_build,
    targets=targets,
    losses=tuple(LOSSES),
    loss=scalar_loss,
    bounded=True,
    learns_sigma=False,
)
