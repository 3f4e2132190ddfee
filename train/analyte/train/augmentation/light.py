"""Lamp and camera: exposure, illuminant, flare, tone curve.

A camera's automatic exposure, or the person at the rig, keeps large areas from burning out, and the
device refuses pictures where that happened: their colour is gone. So gains are held back where they
would do that.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from analyte.train.augmentation.settings import Augmentation

_DARKEST = 1e-4
"""Fraction of full scale below which a value counts as black: a logarithm is taken of it."""
_GRID = 8
"""An area is large, and must not burn out, from this fraction of the edge squared: 1/8 by 1/8."""


class Light(NamedTuple):
    """What changes the values of a picture alike everywhere, for each of N samples or M pictures."""

    gain: Any
    """float32 ``[N, 3]``: factor of each channel, exposure and illuminant in one."""
    flare: Any
    """float32 ``[N]``: level of black, fraction of full scale. Light scattered in the lens lifts it; a
    black level that was set too high cuts it off."""
    exponent: Any
    """float32 ``[N]``: exponent of the tone curve; above 1 darkens the middle tones."""


def draw_light(seed: Any, samples: Any, settings: Augmentation) -> Light:
    """Draw the light of ``samples`` samples. ``seed``: int64 ``[2]``."""
    first, second = tf.unstack(tf.random.split(seed, 2))
    random = tf.random.stateless_uniform([samples, 3], first, -1.0, 1.0)
    colour = tf.random.stateless_normal([samples, 3], second, stddev=settings.illuminant)
    return Light(
        gain=tf.exp(settings.brightness * random[:, :1] + colour),
        flare=settings.flare * random[:, 1],
        exponent=tf.exp(settings.gamma * random[:, 2]),
    )


def held_back(light: Light, images: Any) -> Light:
    """Lower the gains, all three by one factor, until no large area of any view leaves the scale.

    ``images``: ``[N, V, S, S, 3]``, 255 at full scale. An area that is at full scale already stays there
    at most.
    """
    block = images.shape[2] // _GRID
    views, edge = images.shape[1], block * _GRID
    blocks = tf.reshape(images[:, :, :edge, :edge], [-1, views, _GRID, block, _GRID, block, 3])
    rows = tf.cast(blocks[:, :, :, :: max(1, block // 2)], tf.float32)  # two of each block tell enough
    brightest = tf.reduce_max(tf.reduce_mean(rows, axis=(3, 5)), axis=(1, 2, 3))
    peak = tf.reduce_max(brightest / 255.0 * light.gain, axis=1, keepdims=True)
    return light._replace(gain=light.gain / tf.maximum(peak, 1.0))


def expose(intensity: Any, light: Light) -> Any:
    """Light pictures ``[M, S, S, 3]`` anew: float32, 0 (black) to 1 (full scale), in and out.

    A gain is the same factor whether it acts on the light or on a value that is a power of it. Flare b
    makes b + (1 - b) I of the value I; the tone curve is a power, which keeps 0 and 1.
    """
    flare, exponent = (x[:, tf.newaxis, tf.newaxis, tf.newaxis] for x in (light.flare, light.exponent))
    lit = intensity * light.gain[:, tf.newaxis, tf.newaxis, :]
    lit = tf.clip_by_value(flare + (1.0 - flare) * lit, _DARKEST, 1.0)
    return tf.exp(exponent * tf.math.log(lit))
