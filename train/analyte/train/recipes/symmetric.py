"""What the recipes that keep the symmetries of the square share: pooling and a round field of view."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from analyte.contract.arrays import Float64Array

_BINOMIAL = np.array([1.0, 3.0, 3.0, 1.0]) / 8.0
"""Third-order binomial filter: the smoothest of its length, and close to a Gaussian."""
_DIGITS = 4
"""A window is written into the model's description number by number: more digits would only make it
longer."""


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


def circular_window(size: int, radius: float, softness: float) -> Float64Array:
    """Return a disc in the middle of a square picture, float64 ``[size, size]``, 1 inside, 0 outside.

    ``radius``: where it has fallen to one half, in edges of the picture; ``softness``: the width of the
    smooth edge, likewise.
    """
    along = (np.arange(size) + 0.5) / size - 0.5
    distance = np.hypot(along[:, np.newaxis], along)
    depth = np.clip((radius - distance) / softness + 0.5, 0.0, 1.0)
    return np.asarray(depth * depth * (3.0 - 2.0 * depth), np.float64)


def faded_corners(pictures: Any, radius: float, softness: float) -> Any:
    """Fade ``[M, H, W, C]`` to zero outside the disc of `circular_window`: what a turn brings in is not seen.

    Pictures that are no square are a montage of several, which does not turn: they stay as they are.
    """
    _, height, width, _ = pictures.shape
    if height != width:
        return pictures
    window = circular_window(height, radius, softness)
    return keras.layers.Rescaling(window[:, :, np.newaxis].round(_DIGITS).tolist())(pictures)


def global_mean(pictures: Any) -> Any:
    """Average ``[M, S, S, C]`` over the picture, to ``[M, C]``.

    Columns, then rows: one long float32 sum loses digits, differently in every engine and for every turn.
    """
    return keras.ops.mean(keras.ops.mean(pictures, axis=2), axis=1)
