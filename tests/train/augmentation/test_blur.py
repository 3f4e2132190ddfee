"""Blur is a Gaussian: it takes fine detail away, no light, and as far as its width says."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import tensorflow as tf

from analyte.contract.arrays import UInt8Array
from analyte.train.augmentation import Augmentation
from train.augmentation.changes import SIZE, applied, changed, flat, smooth, still
from train.tiny_studies import random_pictures


def blurred(images: UInt8Array, sigma: float) -> UInt8Array:
    count = images.shape[0] * images.shape[1]
    return applied(images, still(images)._replace(blur=tf.fill([count], sigma)))


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0])
def test_as_opencv_does_it(sigma: float) -> None:
    images = random_pictures(4, 2)
    expected = [
        cv2.GaussianBlur(view, (15, 15), sigma, borderType=cv2.BORDER_REFLECT)
        for sample in images
        for view in sample
    ]
    result = blurred(images, sigma)
    assert np.abs(result.astype(int) - np.reshape(expected, images.shape).astype(int)).max() <= 1


def test_keeps_the_mean_and_lowers_contrast() -> None:
    images = random_pictures(4, 2)
    images[:, :, 0] = 255  # a bright border, which a careless treatment of the edge would lose
    result = blurred(images, 1.2).astype(float)
    np.testing.assert_allclose(result.mean(axis=(2, 3)), images.mean(axis=(2, 3)), atol=0.2)
    fine = np.abs(np.diff(result, axis=3)).mean() / np.abs(np.diff(images.astype(float), axis=3)).mean()
    assert fine < 0.3


def test_width_is_a_fraction_of_the_edge() -> None:
    images = flat([0] * 64)
    images[:, :, 8, 8] = 255
    result = changed(images, 1, Augmentation(blur=1.0 / SIZE, blur_share=1.0))[..., 0].astype(float)
    at = np.arange(SIZE) - 8.0
    variance = (result.sum(axis=2) * at**2).sum(axis=2) / result.sum(axis=(2, 3))
    # The widest of the draws: one pixel, less what rounding cuts from the tails.
    assert 0.75 < variance.max() < 1.05


def test_some_pictures_only() -> None:
    images = smooth(64)
    images[:, :, ::2] //= 2  # fine detail, on which every blur shows
    result = changed(images, 3, Augmentation(blur=0.1, blur_share=0.25))
    touched = (result != images).any(axis=(2, 3, 4))
    assert 0.12 < touched.mean() < 0.35
    assert (touched[:, 0] != touched[:, 1]).any()
