"""Light and camera change all views of a sample alike, as physics says, and colours stay readable."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from analyte.contract.arrays import UInt8Array
from analyte.train.augmentation import Augmentation
from analyte.train.augmentation.light import Light, draw_light
from train.augmentation.changes import applied, changed, flat, seeds, still

LEVELS = [0, 40, 90, 180]


def lit(images: UInt8Array, **parts: Any) -> UInt8Array:
    """Put the same gain, flare and exponent on every sample of ``[N, V, S, S, 3]``."""
    values = {"gain": (1.0, 1.0, 1.0), "flare": 0.0, "exponent": 1.0} | parts
    light = Light(*(tf.constant([values[name]] * len(images), tf.float32) for name in Light._fields))
    return applied(images, still(images)._replace(light=light))


def test_gain_multiplies() -> None:
    images = flat(LEVELS)
    result = lit(images, gain=(1.2, 1.0, 0.8))
    np.testing.assert_array_equal(result, np.rint(images * np.array([1.2, 1.0, 0.8])))


@pytest.mark.parametrize("exponent", [0.8, 1.25])
def test_tone_curve_keeps_black_and_white(exponent: float) -> None:
    images = flat([0, 64, 128, 255])
    result = lit(images, exponent=exponent)[:, 0, 0, 0, 0]
    assert (result[0], result[3]) == (0, 255)
    np.testing.assert_array_equal(result[1:3], np.rint(255 * (np.array([64, 128]) / 255) ** exponent))


def test_flare_lifts_black_and_keeps_white() -> None:
    result = lit(flat([0, 100, 200, 255]), flare=0.2)[:, 0, 0, 0, 0]
    np.testing.assert_array_equal(result, 51 + 0.8 * np.array([0, 100, 200, 255]))


def test_black_level_that_is_too_high_cuts_off() -> None:
    result = lit(flat([0, 20, 200, 255]), flare=-0.1)[:, 0, 0, 0, 0]
    np.testing.assert_array_equal(result, [0, 0, np.rint(1.1 * 200 - 25.5), 255])


def test_large_areas_do_not_burn_out() -> None:
    """Where exposure would take a channel over full scale, all three are held back alike."""
    images = flat([(200, 100, 50)] * 4)
    result = lit(images, gain=(1.5, 1.5, 1.5))
    assert (result == np.rint(np.array([200, 100, 50]) * 255 / 200)).all()


def test_views_are_held_back_together() -> None:
    images = flat([(100, 50, 20)] * 4)
    images[:, 1] *= 2
    result = lit(images, gain=(2.0, 2.0, 2.0))
    assert (result[:, 1, :, :, 0] == 255).all()
    assert (np.abs(result[:, 0, :, :, 0].astype(int) - 127.5) <= 0.5).all()


def test_highlights_may_burn_out() -> None:
    images = flat([100] * 4)
    images[:, :, 5, 5] = 200
    result = lit(images, gain=(1.5, 1.5, 1.5))
    assert (result[:, :, 5, 5] == 255).all()
    assert (result[:, :, 0, 0] == 150).all()


@pytest.mark.parametrize(
    "settings",
    [
        Augmentation(brightness=0.3),
        Augmentation(illuminant=0.2),
        Augmentation(gamma=0.3),
        Augmentation(flare=0.1),
    ],
)
def test_light_is_shared_by_the_views_of_a_sample(settings: Augmentation) -> None:
    result = changed(flat([100] * 4), 7, settings)
    # One lamp shines on all views ...
    np.testing.assert_array_equal(result, np.repeat(result[:, :1], 2, axis=1))
    # ... on every pixel alike, and differs from sample to sample.
    assert (result == result[:, :, :1, :1]).all()
    assert len({tuple(sample[0, 0, 0]) for sample in result}) > 2


def test_light_keeps_ratios_between_views() -> None:
    images = flat([60] * 4)
    images[:, 1] = 120
    result = changed(images, 5, Augmentation(brightness=0.3, illuminant=0.2)).astype(float)
    # Rounding to whole levels: half a level in sixty.
    np.testing.assert_allclose(result[:, 1] / result[:, 0], 2.0, rtol=0.02)


@pytest.mark.parametrize("settings", [Augmentation(brightness=0.3), Augmentation(gamma=0.3)])
def test_exposure_and_tone_curve_keep_grey(settings: Augmentation) -> None:
    result = changed(flat([100] * 4), 3, settings)
    assert (result == result[..., :1]).all()


def test_draws_are_as_strong_as_asked_for() -> None:
    settings = Augmentation(brightness=0.2, gamma=0.1, flare=0.03)
    gain, flare, exponent = (part.numpy() for part in draw_light(seeds(1), 4000, settings))
    for drawn, limit in ((np.log(gain), 0.2), (flare, 0.03), (np.log(exponent), 0.1)):
        np.testing.assert_allclose([drawn.min(), drawn.max()], [-limit, limit], rtol=0.01)
    gain = draw_light(seeds(1), 4000, Augmentation(illuminant=0.1)).gain.numpy()
    np.testing.assert_allclose(np.log(gain).std(axis=0), 0.1, rtol=0.05)
    correlation = np.corrcoef(np.log(gain), rowvar=False)
    assert np.abs(correlation - np.eye(3)).max() < 0.06  # channels are independent


def test_values_never_wrap_around() -> None:
    bright = changed(flat([250] * 4), 1, Augmentation(brightness=1.0, noise=0.05))
    assert bright.min() > 40  # exp(-1) * 250, less the noise; 250 * e would wrap to near nothing
    dark = changed(flat([1] * 4), 1, Augmentation(noise=0.05))
    assert dark.max() < 80
