"""Changes that leave the concentration as it is: how the specimen lies, how it is lit, sensor noise.

All functions are stateless: the same seed gives the same pictures. Light changes all views of a sample
alike, as one lamp does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import tensorflow as tf


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How strongly pictures are changed. Zero switches a change off."""

    rotation: bool
    """Turn by any angle about the middle."""
    translation: float = 0.05
    """Largest shift, fraction of the edge."""
    brightness: float = 0.2
    """Largest change of the exposure, natural logarithm of the factor."""
    illuminant: float = 0.1
    """Standard deviation of each channel's gain, natural logarithm of the factor."""
    noise: float = 0.02
    """Largest standard deviation of the sensor noise, fraction of full scale."""


def augment(images: Any, seed: Any, settings: Augmentation) -> Any:
    """Change pictures at random.

    ``images``: uint8 ``[N, V, S, S, 3]``, RGB. ``seed``: int64 ``[2]``. Returns: the same layout and depth,
    as a camera would have given them.
    """
    images = tf.cast(images, tf.float32)
    seeds = tf.unstack(tf.random.split(seed, 3))
    images = _move(images, seeds[0], settings)
    images = _relight(images, seeds[1], settings)
    images = tf.clip_by_value(_add_noise(images, seeds[2], settings), 0.0, 255.0)
    return tf.cast(tf.round(images), tf.uint8)


def _move(images: Any, seed: Any, settings: Augmentation) -> Any:
    """Turn and shift each picture, filling from its mirror image; views of a sample move independently."""
    if not settings.rotation and settings.translation == 0:
        return images
    shape = tf.shape(images)
    count, size = shape[0] * shape[1], shape[2]
    edge = tf.cast(size, tf.float32)
    seeds = tf.unstack(tf.random.split(seed, 2))
    limit = math.pi if settings.rotation else 0.0
    angle = tf.random.stateless_uniform([count], seeds[0], -limit, limit)
    reach = settings.translation * edge
    shift = tf.random.stateless_uniform([count, 2], seeds[1], -reach, reach)
    middle = (edge - 1.0) / 2.0
    cos, sin = tf.cos(angle), tf.sin(angle)
    zero = tf.zeros_like(angle)
    # Maps an output pixel to the input pixel it is taken from: a turn about the middle, then a shift.
    transforms = tf.stack(
        [
            cos, -sin, middle - cos * middle + sin * middle + shift[:, 0],
            sin, cos, middle - sin * middle - cos * middle + shift[:, 1],
            zero, zero,
        ],
        axis=1,
    )  # fmt: skip
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.reshape(images, [count, size, size, 3]),
        transforms=transforms,
        output_shape=[size, size],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="REFLECT",
    )
    return tf.reshape(moved, shape)


def _relight(images: Any, seed: Any, settings: Augmentation) -> Any:
    """Multiply each sample by one exposure and one gain per channel, the same for all its views."""
    count = tf.shape(images)[0]
    seeds = tf.unstack(tf.random.split(seed, 2))
    exposure = tf.random.stateless_uniform(
        [count, 1, 1, 1, 1], seeds[0], -settings.brightness, settings.brightness
    )
    gains = tf.random.stateless_normal([count, 1, 1, 1, 3], seeds[1], stddev=settings.illuminant)
    return images * tf.exp(exposure + gains)


def _add_noise(images: Any, seed: Any, settings: Augmentation) -> Any:
    if settings.noise == 0:
        return images
    seeds = tf.unstack(tf.random.split(seed, 2))
    level = tf.random.stateless_uniform(
        [tf.shape(images)[0], 1, 1, 1, 1], seeds[0], 0.0, 255.0 * settings.noise
    )
    return images + level * tf.random.stateless_normal(tf.shape(images), seeds[1])
