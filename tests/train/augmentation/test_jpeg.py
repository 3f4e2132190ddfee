"""Compression loses what a real encoder loses, in the share of samples that was asked for."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import tensorflow as tf

from analyte.contract.arrays import UInt8Array
from analyte.train.augmentation import Augmentation
from train.augmentation.changes import applied, changed, smooth, still


def compressed(images: UInt8Array, quality: float) -> UInt8Array:
    return applied(images, still(images)._replace(quality=tf.fill([len(images)], float(quality))))


def by_libjpeg(images: UInt8Array, quality: int) -> UInt8Array:
    pictures = []
    for picture in images.reshape(-1, *images.shape[2:]):
        done, file = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        assert done
        restored = cv2.imdecode(file, cv2.IMREAD_COLOR)
        assert restored is not None
        pictures.append(restored[..., ::-1])
    return np.stack(pictures).reshape(images.shape)


def photographs(size: int) -> UInt8Array:
    """Coloured blobs with grain, ``[4, 2, S, S, 3]``."""
    images = smooth(4, size=size).astype(float)
    grain = np.random.default_rng(1).normal(0.0, 6.0, images.shape)
    return np.clip(images + grain, 0, 255).astype(np.uint8)


# Whole blocks, and a size that is continued to them.
@pytest.mark.parametrize("size", [32, 20])
@pytest.mark.parametrize("quality", [30, 60, 90])
def test_as_a_real_encoder(size: int, quality: int) -> None:
    images = photographs(size)
    real, ours = by_libjpeg(images, quality).astype(float), compressed(images, quality).astype(float)
    lost = np.abs(real - images).mean()
    # Decoders differ in how they round on the way: a fraction of what compression itself loses.
    assert np.abs(ours - real).mean() < 0.25 * lost
    np.testing.assert_allclose(np.abs(ours - images).mean(), lost, rtol=0.1)


def test_lower_quality_loses_more() -> None:
    images = photographs(32)
    lost = [np.abs(compressed(images, q).astype(float) - images).mean() for q in (95.0, 75.0, 40.0, 10.0)]
    assert lost == sorted(lost)
    assert lost[0] < 0.5 * lost[-1]


def test_grey_stays_grey() -> None:
    images = photographs(32)
    images[:] = images[..., :1]
    result = compressed(images, 40.0)
    assert (result == result[..., :1]).all()


def test_some_samples_only_with_all_their_views() -> None:
    images = np.tile(photographs(16), (16, 1, 1, 1, 1))
    result = changed(images, 1, Augmentation(jpeg_quality=20, jpeg_share=0.25))
    touched = (result != images).any(axis=(2, 3, 4))
    assert 0.1 < touched[:, 0].mean() < 0.4
    np.testing.assert_array_equal(touched[:, 0], touched[:, 1])


def test_quality_is_never_below_the_lowest() -> None:
    images = photographs(16)
    lost = np.abs(
        changed(np.tile(images, (16, 1, 1, 1, 1)), 1, Augmentation(jpeg_quality=95, jpeg_share=1.0))
        - np.tile(images, (16, 1, 1, 1, 1)).astype(float)
    ).mean()
    assert lost == pytest.approx(np.abs(compressed(images, 95.0).astype(float) - images).mean())
