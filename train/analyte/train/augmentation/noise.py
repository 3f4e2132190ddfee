"""Sensor noise.

Shot noise grows as the square root of the light, and encoding divides small differences by nearly as
much (the derivative of the 2.2th root times the square root: the light to the power of -0.05). So in
8-bit values noise is about the same from dark to bright, and one standard deviation for the whole
picture describes it.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from analyte.contract.arrays import Float32Array
from analyte.train.augmentation.settings import Augmentation

_STORE = 1 << 18


class Noise(NamedTuple):
    """Noise of each of M pictures."""

    deviation: Any
    """float32 ``[M]``: standard deviation, fraction of full scale."""
    rows: Any
    """int32 ``[M, S]``: for each row of a picture, where in the store its noise starts."""


def draw_noise(seed: Any, samples: Any, views: int, size: int, settings: Augmentation) -> Noise:
    """Draw the noise of samples with ``views`` pictures of edge ``size``: one sensor, hence one level.

    ``seed``: int64 ``[2]``. Pictures are in the order of samples, then views.
    """
    first, second = tf.unstack(tf.random.split(seed, 2))
    deviation = settings.noise * tf.random.stateless_uniform([samples], first)
    rows = tf.random.stateless_uniform([samples * views, size], second, 0, _STORE - 3 * size, dtype=tf.int32)
    return Noise(tf.repeat(deviation, views), rows)


def noise_of(noise: Noise) -> Any:
    """Return noise for pictures ``[M, S, S, 3]``, float32, fraction of full scale.

    Drawing normal variates for every pixel would cost more than all other changes together. Every row of
    a picture is therefore a stretch of a store of them that starts at random.
    """
    size = noise.rows.shape[1]
    index = noise.rows[:, :, tf.newaxis] + tf.range(3 * size)
    values = tf.reshape(tf.gather(tf.constant(_store()), index), [-1, size, size, 3])
    return noise.deviation[:, tf.newaxis, tf.newaxis, tf.newaxis] * values


@functools.cache
def _store() -> Float32Array:
    """Standard normal variates, a megabyte, the same in every process."""
    return np.random.default_rng(0).standard_normal(_STORE, np.float32)
