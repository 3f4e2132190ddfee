"""The colours of another camera: its filters let through what belongs to their neighbours, more or less."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from analyte.train.augmentation.settings import Augmentation


def draw_matrix(seed: Any, samples: Any, settings: Augmentation) -> Any:
    """Draw colour matrices for ``samples`` samples, float32 ``[N, 3, 3]``. ``seed``: int64 ``[2]``.

    From R, G, B as recorded to those of the other camera. Rows sum to 1, so that what is grey for one camera
    is grey for the other, which white balance sees to.
    """
    entries = tf.random.stateless_normal([samples, 3, 3], seed, stddev=settings.crosstalk)
    return tf.eye(3) + entries - tf.reduce_mean(entries, axis=2, keepdims=True)


def mix(images: Any, matrix: Any) -> Any:
    """Multiply the pixels of ``[N, V, S, S, 3]``, uint8, by matrices ``[N, 3, 3]``.

    Returns: float32 of the same shape, beyond 0 to 255 where the matrix leads there. It may come before any
    change that is linear and keeps white: interpolation, highlights.
    """
    pixels = tf.reshape(tf.cast(images, tf.float32), [tf.shape(images)[0], -1, 3])
    return tf.reshape(tf.matmul(pixels, matrix, transpose_b=True), [-1, *images.shape[1:]])
