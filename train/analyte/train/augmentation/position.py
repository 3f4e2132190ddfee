"""Where and how the specimen lies: turned, mirrored, shifted."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import tensorflow as tf

from analyte.train.augmentation.settings import Augmentation


class Position(NamedTuple):
    """How each of M pictures is laid out anew: mirrored first, then turned about its middle, then
    shifted."""

    mirror: Any
    """float32 ``[M]``: -1 swaps left and right, 1 does not."""
    angle: Any
    """float32 ``[M]``, radians, counter-clockwise."""
    shift: Any
    """float32 ``[M, 2]``: to the right and down, fraction of the edge."""


def draw_position(seed: Any, count: Any, settings: Augmentation) -> Position:
    """Draw the positions of ``count`` pictures. ``seed``: int64 ``[2]``."""
    random = tf.random.stateless_uniform([count, 4], seed, -1.0, 1.0)
    upright = tf.zeros([count])
    return Position(
        mirror=tf.where(random[:, 0] < 0.0, -1.0, 1.0) if settings.flip else upright + 1.0,
        angle=math.pi * random[:, 1] if settings.rotation else upright,
        shift=settings.translation * random[:, 2:],
    )


def affine(position: Position, size: int) -> Any:
    """Return float32 ``[M, 2, 3]`` that takes a pixel of the new picture to its place in the old one.

    Rows: x (to the right) and y (down) in the old picture. Columns: factors of x and y in the new one,
    and the constant; pixels, centres at whole numbers.
    """
    middle = (size - 1) / 2
    cos, sin = tf.cos(position.angle), tf.sin(position.angle)
    linear = tf.stack(
        [tf.stack([position.mirror * cos, -position.mirror * sin], 1), tf.stack([sin, cos], 1)], 1
    )
    # The middle of the old picture comes to the middle of the new one plus the shift.
    start = middle + size * position.shift
    constant = middle - tf.linalg.matvec(linear, start)
    return tf.concat([linear, constant[:, :, tf.newaxis]], 2)


def move(pictures: Any, transform: Any) -> Any:
    """Lay out ``[M, S, S, 3]`` anew by `affine`, float32, with bilinear interpolation.

    What comes in from outside is the picture's mirror image at that edge, as far as its own width
    reaches.
    """
    size = pictures.shape[1]
    at = tf.range(size, dtype=tf.float32)
    part = transform[:, :, :, tf.newaxis, tf.newaxis]
    place = part[:, :, 0] * at + part[:, :, 1] * at[:, tf.newaxis] + part[:, :, 2]
    place = size - tf.abs(size - tf.abs(place + 0.5)) - 0.5
    place = tf.clip_by_value(place, 0.0, size - 1.0)
    low = tf.floor(place)
    weight = (place - low)[..., tf.newaxis]
    low = tf.cast(low, tf.int32)
    high = tf.minimum(low + 1, size - 1)
    (x0, y0), (x1, y1) = tf.unstack(low, axis=1), tf.unstack(high, axis=1)
    right, down = tf.unstack(weight, axis=1)
    pixels = tf.reshape(pictures, [-1, 3])
    top_row = tf.range(tf.shape(pictures)[0])[:, tf.newaxis, tf.newaxis] * size

    def take(x: Any, y: Any) -> Any:
        return tf.cast(tf.gather(pixels, (top_row + y) * size + x), tf.float32)

    upper = take(x0, y0) * (1.0 - right) + take(x1, y0) * right
    lower = take(x0, y1) * (1.0 - right) + take(x1, y1) * right
    return upper * (1.0 - down) + lower * down
