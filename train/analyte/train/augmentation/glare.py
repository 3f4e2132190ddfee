"""Highlights: soft spots where the lamp is mirrored in a wet or glossy surface."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from analyte.train.augmentation.settings import Augmentation

_SPOTS = 2
_NARROWEST, _WIDEST = 0.03, 0.12
"""Standard deviation of a spot, fraction of the edge."""


class Glare(NamedTuple):
    """Spots that are the product of a profile across and one down, K for each of M pictures."""

    across: Any
    """float32 ``[M, K, S]``: by column, 0 to 1."""
    down: Any
    """float32 ``[M, K, S]``: by row, 0 to the height of the spot (1 makes its middle white)."""


def draw_glare(seed: Any, count: Any, size: int, settings: Augmentation) -> Glare:
    """Draw the highlights of ``count`` pictures of edge ``size``. ``seed``: int64 ``[2]``."""
    random = tf.random.stateless_uniform([count, 1 + 5 * _SPOTS], seed)
    present = tf.cast(random[:, :1] < settings.glare_share, tf.float32)
    parts = tf.reshape(random[:, 1:], [count, _SPOTS, 5])
    return spots(
        centre=parts[..., :2],
        width=_NARROWEST + (_WIDEST - _NARROWEST) * parts[..., 2:4],
        height=settings.glare * present * parts[..., 4],
        size=size,
    )


def spots(centre: Any, width: Any, height: Any, size: int) -> Glare:
    """Return Gaussian spots for pictures of edge ``size``, pixels.

    ``centre``, ``width``: float32 ``[M, K, 2]``, across and down, fraction of the edge (width: the
    standard deviation). ``height``: float32 ``[M, K]``, 0 to 1.
    """
    at = (tf.range(size, dtype=tf.float32) + 0.5) / size
    distance = (at - centre[..., tf.newaxis]) / width[..., tf.newaxis]
    across, down = tf.unstack(tf.exp(-0.5 * distance * distance), axis=2)
    return Glare(across, height[..., tf.newaxis] * down)


def add_glare(intensity: Any, glare: Glare) -> Any:
    """Lay the spots over ``[M, S, S, 3]``, float32, 0 to 1: each goes its height's way towards white."""
    for spot in range(glare.across.shape[1]):
        across = glare.across[:, spot, tf.newaxis, :, tf.newaxis]
        down = glare.down[:, spot, :, tf.newaxis, tf.newaxis]
        intensity += (1.0 - intensity) * across * down
    return intensity
