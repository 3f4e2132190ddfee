"""All changes in their order: drawing them by a seed, and applying what was drawn.

The order is close to that of the light: lens, specimen under the lens, highlights, lamp, sensor, file.
The blur comes first because it is as well done there (it is the same in all directions) and each step
starts and ends with bytes. Blur and compression are computed only for the pictures that get them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from analyte.train.augmentation.blur import blur, draw_blur
from analyte.train.augmentation.crosstalk import draw_matrix, mix
from analyte.train.augmentation.glare import Glare, add_glare, draw_glare
from analyte.train.augmentation.jpeg import draw_quality, jpeg
from analyte.train.augmentation.light import Light, draw_light, expose, held_back
from analyte.train.augmentation.noise import Noise, draw_noise, noise_of
from analyte.train.augmentation.position import Position, affine, draw_position, move
from analyte.train.augmentation.settings import Augmentation


class Change(NamedTuple):
    """What happens to N samples of V views, M = N * V pictures in the order of samples, then views."""

    blur: Any
    """float32 ``[M]``: standard deviation, pixels; 0 for none. None when no picture is blurred."""
    matrix: Any
    """float32 ``[N, 3, 3]``: of the colours of each sample; None when no camera's colours change."""
    position: Position
    """Of each picture."""
    glare: Glare
    """Of each picture."""
    light: Light
    """Of each sample: one lamp and one camera for all its views."""
    noise: Noise
    """Of each picture."""
    quality: Any
    """float32 ``[N]``: of the compression; 0 for none. None when no picture is compressed."""


def draw(images: Any, seed: Any, settings: Augmentation) -> Change:
    """Draw a change of pictures ``[N, V, S, S, 3]``. ``seed``: int64 ``[2]``."""
    samples, views, size = tf.shape(images)[0], images.shape[1], images.shape[2]
    count = samples * views
    seeds = tf.unstack(tf.random.split(seed, 7))
    return Change(
        blur=draw_blur(seeds[0], count, size, settings) if settings.blur_share else None,
        matrix=draw_matrix(seeds[6], samples, settings) if settings.crosstalk else None,
        position=draw_position(seeds[1], count, settings),
        glare=draw_glare(seeds[2], count, size, settings),
        light=draw_light(seeds[3], samples, settings),
        noise=draw_noise(seeds[4], samples, views, size, settings),
        quality=draw_quality(seeds[5], samples, settings) if settings.jpeg_share else None,
    )


def apply(images: Any, change: Change) -> Any:
    """Change pictures: uint8 ``[N, V, S, S, 3]``, RGB, in and out."""
    shape = [-1, *images.shape[1:]]
    views, size = images.shape[1], images.shape[2]
    if change.blur is not None:
        images = tf.reshape(_some(tf.reshape(images, [-1, *shape[2:]]), change.blur, blur), shape)
    if change.matrix is not None:
        images = mix(images, change.matrix)
    pictures = _photograph(images, affine(change.position, size), change.glare, change.light, change.noise)
    if change.quality is not None:
        pictures = _some(pictures, tf.repeat(change.quality, views), jpeg)
    return tf.reshape(pictures, shape)


def _take_anew(images: Any, transform: Any, glare: Glare, light: Light, noise: Noise) -> Any:
    """Take ``[N, V, S, S, 3]``, uint8 or float32, anew as M pictures ``[M, S, S, 3]``, uint8.

    Everything that concerns every picture.
    """
    light = Light(*(tf.repeat(part, images.shape[1], axis=0) for part in held_back(light, images)))
    pictures = tf.reshape(images, [-1, *images.shape[2:]])
    intensity = move(pictures, transform) / 255.0
    intensity = expose(add_glare(intensity, glare), light) + noise_of(noise)
    return tf.cast(tf.clip_by_value(255.0 * intensity + 0.5, 0.0, 255.0), tf.uint8)


_photograph = tf.function(_take_anew, jit_compile=True, autograph=False)
"""Compiled to few passes over the pixels, which is several times as fast as one op after the other;
random numbers are drawn outside, where they are faster."""


def _some(pictures: Any, strength: Any, effect: Callable[[Any, Any], Any]) -> Any:
    """Apply an effect to the pictures whose strength, ``[M]``, is not zero."""
    chosen = tf.where(strength > 0.0)
    part = effect(tf.gather_nd(pictures, chosen), tf.gather_nd(strength, chosen))
    return tf.tensor_scatter_nd_update(pictures, chosen, part)


def _augment(images: Any, seed: Any, settings: Augmentation) -> Any:
    return apply(images, draw(images, seed, settings))


augment = tf.autograph.experimental.do_not_convert(_augment)
"""`draw`, then `apply`. Nothing here needs rewriting for a graph, and only to look for it takes
seconds."""
