"""What the recipes that keep the symmetries of the square share: pooling and a round field of view."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from analyte.train.windows import circular_window, ring_windows, windowed

_BINOMIAL = np.array([1.0, 3.0, 3.0, 1.0]) / 8.0
"""Third-order binomial filter: the smoothest of its length, and close to a Gaussian."""
_RING_SOFTNESS = 0.1
"""Width of the rings' smooth edges, in edges of the picture: a turned pixel stays in its ring, nearly."""


def blur_pool(pictures: Any) -> Any:
    """Halve ``[M, S, S, C]`` with a smooth, nearly round window of 4 x 4 pixels instead of a 2 x 2 box.

    Less of what the coarser grid cannot show is folded into it, so that the result depends less on how the
    picture lies on the grid (Zhang, "Making Convolutional Networks Shift-Invariant Again", ICML 2019, arXiv
    1904.11486). S is even: one row of zeros on either side keeps the window symmetric.
    """
    channels = pictures.shape[-1]
    window = np.outer(_BINOMIAL, _BINOMIAL)[:, :, np.newaxis, np.newaxis]
    return keras.layers.DepthwiseConv2D(
        len(_BINOMIAL),
        strides=2,
        padding="same",
        use_bias=False,
        trainable=False,
        depthwise_initializer=keras.initializers.Constant(np.repeat(window, channels, axis=2).tolist()),
    )(pictures)


def faded_corners(pictures: Any, radius: float, softness: float) -> Any:
    """Fade ``[M, S, S, C]`` to zero outside the disc of `circular_window`: what a turn brings is not seen."""
    return windowed(pictures, circular_window(pictures.shape[1], radius, softness))


def global_mean(pictures: Any) -> Any:
    """Average ``[M, S, S, C]`` over the picture, to ``[M, C]``.

    Columns, then rows: one long float32 sum loses digits, differently in every engine and for every turn.
    """
    return keras.ops.mean(keras.ops.mean(pictures, axis=2), axis=1)


def ring_means(pictures: Any, rings: int) -> Any:
    """Average ``[M, S, S, C]`` over a central disc and rings around it, to ``[M, C * rings]``.

    Where something lies between middle and rim is kept, its direction is not.
    """
    _, size, _, channels = pictures.shape
    windows = ring_windows(size, rings, _RING_SOFTNESS).reshape(rings, -1)
    by_channel = keras.layers.Permute((2, 1))(keras.layers.Reshape((size * size, channels))(pictures))
    # A product and no convolution: quantization leaves it in float, where its rounding is no bias.
    means = keras.layers.Dense(
        rings,
        use_bias=False,
        trainable=False,
        kernel_initializer=keras.initializers.Constant(windows.T.tolist()),
    )(by_channel)
    return keras.layers.Flatten()(means)
