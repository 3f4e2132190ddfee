"""What several recipes are built of."""

from __future__ import annotations

import math
from typing import Any

import keras

from analyte.train.layers.fused_normalization import FusedBatchNormalization

COARSEST = 8
"""Pooling stops when the edge is at most this, pixels: small enough to flatten or average."""


def normalized(pictures: Any) -> Any:
    """Normalize over the batch, without a rectifier after it.

    The running mean follows within ten batches or so: a laboratory's data make few batches per epoch.
    """
    return FusedBatchNormalization(momentum=0.9)(pictures)


def convolved(pictures: Any, filters: int, kernel_size: int = 3, strides: int = 1) -> Any:
    """Convolve ``[M, S, S, C]`` with zero padding, normalize over the batch, rectify."""
    # No bias: the normalization takes it out again.
    convolution = keras.layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
    )
    return keras.layers.ReLU()(normalized(convolution(pictures)))


def flattened(pictures: Any) -> Any:
    """Lay out ``[M, S, S, C]`` as ``[M, S * S * C]``.

    A Flatten layer does the same, but its exported graph works out the shape anew for every batch.
    """
    return keras.ops.reshape(pictures, (-1, math.prod(pictures.shape[1:])))
