"""One change at a time, of pictures whose every level is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from analyte.contract.arrays import UInt8Array
from analyte.train.augmentation import Augmentation, augment
from analyte.train.augmentation.pipeline import Change, apply, draw

SIZE = 16


def changed(images: UInt8Array, seed: int, settings: Augmentation) -> UInt8Array:
    """Augment ``[N, V, S, S, 3]``."""
    result: UInt8Array = augment(tf.constant(images), seeds(seed), settings).numpy()
    return result


def applied(images: UInt8Array, change: Change) -> UInt8Array:
    """Apply a change to ``[N, V, S, S, 3]``."""
    result: UInt8Array = apply(tf.constant(images), change).numpy()
    return result


def still(images: UInt8Array) -> Change:
    """Return the change that changes nothing."""
    return draw(images, seeds(0), Augmentation())


def seeds(seed: int) -> Any:
    """Return a seed as TensorFlow takes it, int64 ``[2]``."""
    return tf.constant([seed, 2 * seed + 1], tf.int64)


def flat(levels: Sequence[int | Sequence[int]], views: int = 2) -> UInt8Array:
    """Return pictures of one colour (grey where one level is given) each, ``[N, V, 16, 16, 3]``."""
    images = np.empty((len(levels), views, SIZE, SIZE, 3), np.uint8)
    for image, level in zip(images, levels, strict=True):
        image[:] = level
    return images


def smooth(count: int, views: int = 2, size: int = SIZE, seed: int = 0) -> UInt8Array:
    """Return coloured blobs as photographs have them, ``[N, V, S, S, 3]``."""
    rng = np.random.default_rng(seed)
    at = np.linspace(0.0, 1.0, size)
    phase = rng.uniform(0.0, 2 * np.pi, (2, count, views, 1, 1, 3))
    across, down = at[:, np.newaxis], at[:, np.newaxis, np.newaxis]
    waves = np.sin(7 * across + phase[0]) + np.sin(9 * down + phase[1])
    return (128 + 50 * waves).astype(np.uint8)
