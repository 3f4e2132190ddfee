"""Highlights only brighten, softly, where they are put, in the share of pictures that was asked for."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from analyte.train.augmentation import Augmentation
from analyte.train.augmentation.glare import spots
from train.augmentation.changes import SIZE, applied, changed, flat, still
from train.tiny_studies import random_pictures


def test_spot_lies_where_it_is_put_and_is_as_high_as_asked_for() -> None:
    images = flat([55] * 4)
    place = (np.array([3.0, 10.0]) + 0.5) / SIZE  # across, down: the middle of a pixel
    glare = spots(
        centre=tf.constant(np.tile(place, (8, 1, 1)), tf.float32),
        width=tf.constant(np.tile([1.0 / SIZE, 2.0 / SIZE], (8, 1, 1)), tf.float32),
        height=tf.fill([8, 1], 0.6),
        size=SIZE,
    )
    result = applied(images, still(images)._replace(glare=glare))
    assert (result[:, :, 10, 3] == 55 + 0.6 * 200).all()
    # One standard deviation off the middle, in each direction.
    one_off = np.rint(55 + 0.6 * 200 * np.exp(-0.5))
    assert (result[:, :, 10, 4] == one_off).all()
    assert (result[:, :, 12, 3] == one_off).all()
    assert (result[:, :, 0, 15] == 55).all()


def test_only_brightens() -> None:
    images = random_pictures(64, 2)
    result = changed(images, 1, Augmentation(glare=0.9, glare_share=1.0))
    assert (result >= images).all()
    assert (result > images).mean() > 0.1


def test_share_of_pictures() -> None:
    images = flat([50] * 64)
    result = changed(images, 2, Augmentation(glare=0.9, glare_share=0.25))
    shining = (result != images).any(axis=(2, 3, 4))
    assert 0.15 < shining.mean() < 0.35
    # Each view has its own.
    assert (shining[:, 0] != shining[:, 1]).any()
