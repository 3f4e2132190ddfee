"""Lens blur: out of focus, or moved."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from analyte.train.augmentation.settings import Augmentation

_SHARP = 0.2
"""A standard deviation of so few pixels does not change an 8-bit picture (neighbours weigh 4e-6)."""


def draw_blur(seed: Any, count: Any, size: int, settings: Augmentation) -> Any:
    """Draw the standard deviation of ``count`` pictures' blur, float32 ``[M]``, pixels; 0 where sharp.

    ``seed``: int64 ``[2]``.
    """
    random = tf.random.stateless_uniform([count, 2], seed)
    sigma = settings.blur * size * random[:, 1]
    return tf.where((random[:, 0] < settings.blur_share) & (sigma > _SHARP), sigma, 0.0)


def blur(pictures: Any, sigma: Any) -> Any:
    """Convolve ``[M, S, S, 3]``, uint8, with Gaussians of standard deviation ``[M]``, pixels, above 0.

    Beyond its edge a picture goes on as its mirror image. The convolution is a symmetric matrix, so that
    every pixel gives away as much light as it had: the mean stays.
    """
    size = pictures.shape[1]
    matrix = _gaussian(sigma, size)[:, tf.newaxis]
    # One plane per channel is what matrix products along rows and columns want.
    planes = tf.transpose(tf.cast(pictures, tf.float32), [0, 3, 1, 2])
    planes = tf.matmul(tf.matmul(matrix, planes), matrix)
    return tf.cast(tf.round(tf.transpose(planes, [0, 2, 3, 1])), tf.uint8)


def _gaussian(sigma: Any, size: int) -> Any:
    """Return float32 ``[M, S, S]`` matrices that blur a line of pixels."""
    at = tf.range(size, dtype=tf.float32)
    one, other = at[:, tf.newaxis], at[tf.newaxis, :]
    # A pixel, and its images in the mirrors at both ends.
    distances = tf.stack([one - other, one + other + 1.0, 2.0 * size - 1.0 - one - other])
    scaled = distances / sigma[:, tf.newaxis, tf.newaxis, tf.newaxis]
    weights = tf.reduce_sum(tf.exp(-0.5 * scaled * scaled), axis=1)
    return weights / tf.reduce_sum(weights, axis=2, keepdims=True)
