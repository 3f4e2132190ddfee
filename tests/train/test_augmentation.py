"""Augmentation changes what does not matter, the same way for the same seed, and nothing else."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from analyte.contract.arrays import UInt8Array
from analyte.train.augmentation import Augmentation, augment
from train.tiny_studies import random_pictures

OFF = dataclasses.replace(
    Augmentation(rotation=False),
    **{f.name: 0.0 for f in dataclasses.fields(Augmentation) if isinstance(f.default, float)},
)


def changed(images: UInt8Array, seed: int, settings: Augmentation) -> UInt8Array:
    seeds: Any = tf.constant([seed, 2 * seed + 1], tf.int64)
    return augment(tf.constant(images), seeds, settings).numpy()


def only(**settings: Any) -> Augmentation:
    return dataclasses.replace(OFF, **settings)


def flat_pictures(levels: list[int], views: int) -> UInt8Array:
    """Pictures of one grey level each, ``[N, V, 16, 16, 3]``."""
    images = np.empty((len(levels), views, 16, 16, 3), np.uint8)
    images[:] = np.asarray(levels, np.uint8)[:, np.newaxis, np.newaxis, np.newaxis, np.newaxis]
    return images


@pytest.mark.parametrize("views", [1, 2])
def test_shape_and_depth_stay(views: int) -> None:
    images = random_pictures(5, views)
    result = changed(images, 1, Augmentation(rotation=True))
    assert (result.shape, result.dtype) == (images.shape, np.uint8)
    assert (result != images).mean() > 0.5


def test_seed_decides() -> None:
    images, settings = random_pictures(3, 2), Augmentation(rotation=True)
    np.testing.assert_array_equal(changed(images, 1, settings), changed(images, 1, settings))
    assert (changed(images, 1, settings) != changed(images, 2, settings)).mean() > 0.5


def test_samples_differ() -> None:
    images = np.repeat(random_pictures(1, 1), 2, axis=0)
    first, second = changed(images, 3, Augmentation(rotation=True))
    assert (first != second).mean() > 0.5


def test_zero_is_off() -> None:
    images = random_pictures(4, 2)
    np.testing.assert_array_equal(changed(images, 1, OFF), images)


@pytest.mark.parametrize("settings", [only(brightness=0.3), only(illuminant=0.2)])
def test_light_is_shared_by_the_views_of_a_sample(settings: Augmentation) -> None:
    images = flat_pictures([100, 100, 100, 100], views=3)
    result = changed(images, 7, settings)
    # One lamp shines on all views ...
    np.testing.assert_array_equal(result, np.repeat(result[:, :1], 3, axis=1))
    # ... on every pixel alike, and differs from sample to sample.
    assert (result == result[:, :, :1, :1]).all()
    assert len({tuple(sample[0, 0, 0]) for sample in result}) == 4


def test_light_keeps_ratios_between_views() -> None:
    images = flat_pictures([60], views=2)
    images[:, 1] = 120
    result = changed(images, 5, only(brightness=0.3, illuminant=0.2)).astype(float)
    # Rounding to whole levels: half a level in sixty.
    np.testing.assert_allclose(result[0, 1, 0, 0] / result[0, 0, 0, 0], 2.0, rtol=0.02)


def test_brightness_keeps_the_colour() -> None:
    result = changed(flat_pictures([100] * 8, views=1), 3, only(brightness=0.3))
    assert (result == result[..., :1]).all()


@pytest.mark.parametrize("settings", [only(brightness=0.3, illuminant=0.1, noise=0.01)])
def test_without_rotation_and_translation_nothing_moves(settings: Augmentation) -> None:
    images = flat_pictures([40], views=1)
    images[:, :, 3, 11] = 150
    result = changed(images, 1, settings)[0, 0].sum(axis=2, dtype=int)
    assert np.unravel_index(int(result.argmax()), result.shape) == (3, 11)


def test_rotation_off_keeps_upright() -> None:
    """Shifts may stay, but a line stays level."""
    images = flat_pictures([40] * 8, views=1)
    images[:, :, 8] = 200
    moved = changed(images, 2, only(translation=0.2))
    assert (moved == moved[:, :, :, :1]).all()
    turned = changed(images, 2, only(rotation=True))
    assert (turned != turned[:, :, :, :1]).any()


def test_turns_about_the_middle() -> None:
    images = flat_pictures([0] * 8, views=1)
    images[:, :, 5:11, 5:11] = 255  # wide enough for the interpolation at its rim
    turned = changed(images, 4, only(rotation=True))
    assert (turned[:, :, 7:9, 7:9] == 255).all()


def test_noise_is_of_the_size_that_was_asked_for() -> None:
    images = flat_pictures([128] * 200, views=1)
    spread = changed(images, 1, only(noise=0.04)).astype(float).std(axis=(1, 2, 3, 4))
    # Up to 4 % of full scale, differing from sample to sample.
    assert 8.0 < spread.max() < 11.5
    assert spread.min() < 1.5


def test_values_never_wrap_around() -> None:
    bright = changed(flat_pictures([250] * 8, views=1), 1, only(brightness=1.0, noise=0.05))
    assert bright.min() > 60  # exp(-1) * 250, less the noise; 250 * e would wrap to near nothing
    dark = changed(flat_pictures([1] * 8, views=1), 1, only(noise=0.05))
    assert dark.max() < 80
