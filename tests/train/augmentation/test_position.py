"""Pictures are mirrored, turned and shifted, each on its own, and nothing else happens to them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from analyte.contract.arrays import UInt8Array
from analyte.train.augmentation import Augmentation
from analyte.train.augmentation.position import Position, draw_position
from train.augmentation.changes import SIZE, applied, changed, flat, seeds, still
from train.tiny_studies import random_pictures


def moved(images: UInt8Array, **parts: Any) -> UInt8Array:
    """Lay out every picture ``[N, V, S, S, 3]`` by the same mirror, angle (radians) and shift."""
    count = images.shape[0] * images.shape[1]
    values = {"mirror": 1.0, "angle": 0.0, "shift": (0.0, 0.0)} | parts
    position = Position(*(tf.constant([values[name]] * count, tf.float32) for name in Position._fields))
    return applied(images, still(images)._replace(position=position))


@pytest.mark.parametrize("turns", range(4))
def test_quarter_turns_are_exact(turns: int) -> None:
    images = random_pictures(4, 2)
    result = moved(images, angle=turns * math.pi / 2)
    np.testing.assert_array_equal(result, np.rot90(images, turns, axes=(2, 3)))


def test_mirror_swaps_left_and_right() -> None:
    images = random_pictures(4, 2)
    np.testing.assert_array_equal(moved(images, mirror=-1.0), images[:, :, :, ::-1])


def test_mirrored_before_turned() -> None:
    images = random_pictures(4, 2)
    expected = np.rot90(images[:, :, :, ::-1], 1, axes=(2, 3))
    np.testing.assert_array_equal(moved(images, mirror=-1.0, angle=math.pi / 2), expected)


def test_shift_is_to_the_right_and_down_by_fractions_of_the_edge() -> None:
    images = random_pictures(4, 2)
    result = moved(images, shift=(3 / SIZE, 2 / SIZE))
    np.testing.assert_array_equal(result[:, :, 2:, 3:], images[:, :, :-2, :-3])
    # What comes in is the mirror image at that edge.
    np.testing.assert_array_equal(result[:, :, 2:, :3], images[:, :, :-2, 2::-1])
    np.testing.assert_array_equal(result[:, :, 1::-1, 3:], images[:, :, :2, :-3])


def test_shift_comes_after_the_turn() -> None:
    images = random_pictures(4, 2)
    result = moved(images, angle=math.pi / 2, shift=(3 / SIZE, 0.0))
    np.testing.assert_array_equal(result[:, :, :, 3:], np.rot90(images, 1, axes=(2, 3))[:, :, :, :-3])


def test_interpolates_between_pixels() -> None:
    images = flat([0] * 4)
    images[:] = (10 * np.arange(SIZE))[:, np.newaxis]
    result = moved(images, shift=(0.5 / SIZE, 0.0))
    np.testing.assert_array_equal(result[:, :, :, 1:], images[:, :, :, 1:] - 5)


def test_turn_by_any_angle_keeps_what_is_round() -> None:
    at = np.arange(SIZE) - (SIZE - 1) / 2
    images = flat([0] * 4)
    images[:] = (250 * np.exp(-(at**2 + at[:, np.newaxis] ** 2) / 40))[..., np.newaxis]
    result = moved(images, angle=0.7).astype(int)
    inside = (at**2 + at[:, np.newaxis] ** 2) < 7**2
    # Interpolation flattens the top of a hill by a few levels.
    assert np.abs(result - images)[:, :, inside].max() <= 5


def test_draws_reach_the_limits_and_stay_within() -> None:
    settings = Augmentation(rotation=True, flip=True, translation=0.05)
    mirror, angle, shift = (part.numpy() for part in draw_position(seeds(1), 2000, settings))
    assert np.abs(shift).max() <= 0.05
    assert (shift.min(axis=0) < -0.049).all()
    assert (shift.max(axis=0) > 0.049).all()
    assert set(mirror) == {-1.0, 1.0}
    assert abs(mirror.mean()) < 0.1
    assert np.histogram(angle, 8, (-math.pi, math.pi))[0].min() > 150


def test_off_keeps_upright() -> None:
    """Shifts may stay, but a line stays level and left stays left."""
    images = flat([40] * 8)
    images[:, :, 8] = 200
    result = changed(images, 2, Augmentation(translation=0.2))
    assert (result == result[:, :, :, :1]).all()
    assert (result != images).any()
    images = flat([40] * 8)
    images[:, :, :, 2] = 200
    result = changed(images, 2, Augmentation(translation=0.05))[..., 0].astype(int)
    assert (result[..., :8].sum(axis=(2, 3)) > result[..., 8:].sum(axis=(2, 3))).all()


def test_views_move_independently() -> None:
    images = np.repeat(random_pictures(4, 1), 2, axis=1)
    result = changed(images, 1, Augmentation(rotation=True, translation=0.05))
    assert ((result[:, 0] != result[:, 1]).mean(axis=(1, 2, 3)) > 0.5).all()
