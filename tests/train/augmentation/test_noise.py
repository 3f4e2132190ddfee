"""Noise is normal, white, of the size asked for, and another one in every picture."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from analyte.contract.arrays import Float64Array
from analyte.train.augmentation import Augmentation
from analyte.train.augmentation.noise import draw_noise
from train.augmentation.changes import applied, changed, flat, seeds, still

DEVIATION = 0.02
LEVELS = 255 * DEVIATION


def residuals(samples: int, seed: int = 1) -> Float64Array:
    """Return the noise on grey pictures, levels, ``[N, 2, 16, 16, 3]``."""
    images = flat([128] * samples)
    noise = draw_noise(seeds(seed), samples, 2, images.shape[2], Augmentation(noise=DEVIATION))
    noise = noise._replace(deviation=tf.fill([2 * samples], DEVIATION))
    difference: Float64Array = applied(images, still(images)._replace(noise=noise)).astype(float) - 128
    return difference


def test_standard_deviation_and_mean() -> None:
    noise = residuals(64)
    # 98304 values, plus the rounding to whole levels.
    np.testing.assert_allclose(noise.std(), np.sqrt(LEVELS**2 + 1 / 12), rtol=0.02)
    assert abs(noise.mean()) < 0.1
    # Normal: this share lies within one and within two standard deviations.
    assert abs((np.abs(noise) <= 5.5).mean() - 0.719) < 0.01
    assert abs((np.abs(noise) <= 10.5).mean() - 0.961) < 0.01


def test_white() -> None:
    noise = residuals(64)
    neighbours = {
        "column": (noise[:, :, :, 1:], noise[:, :, :, :-1]),
        "row": (noise[:, :, 1:], noise[:, :, :-1]),
        "channel": (noise[..., 1:], noise[..., :-1]),
        "view": (noise[:, 1], noise[:, 0]),
        "sample": (noise[1:], noise[:-1]),
    }
    for name, (one, other) in neighbours.items():
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.03, name


def test_level_is_drawn_per_sample_up_to_the_limit() -> None:
    deviation = draw_noise(seeds(1), 1000, 2, 16, Augmentation(noise=0.04)).deviation.numpy()
    deviation = deviation.reshape(1000, 2)
    np.testing.assert_array_equal(deviation[:, 0], deviation[:, 1])
    assert 0.0 <= deviation.min() < 0.001
    assert 0.039 < deviation.max() <= 0.04
    spread = changed(flat([128] * 64), 1, Augmentation(noise=0.04)).astype(float).std(axis=(1, 2, 3, 4))
    assert 8.0 < spread.max() < 11.5
    assert spread.min() < 1.5
