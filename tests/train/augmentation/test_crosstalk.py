"""Another camera mixes the colours, for all views of a sample alike, and leaves grey as it is."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from analyte.train.augmentation import Augmentation
from analyte.train.augmentation.crosstalk import draw_matrix
from train.augmentation.changes import applied, changed, flat, seeds, still

MATRIX = np.array([[1.2, -0.1, -0.1], [0.0, 0.9, 0.1], [0.05, 0.15, 0.8]], np.float32)


def test_multiplies_by_the_matrix() -> None:
    images = flat([(100, 60, 20), (90, 120, 60), (80, 40, 200), (90, 90, 90)])
    result = applied(images, still(images)._replace(matrix=tf.constant([MATRIX] * 4)))
    np.testing.assert_allclose(result, images @ MATRIX.T.astype(float), atol=0.501)


def test_negative_light_is_black() -> None:
    images = flat([(0, 200, 200)] * 4)
    result = applied(images, still(images)._replace(matrix=tf.constant([MATRIX] * 4)))
    assert (result[..., 0] == 0).all()


def test_colours_that_it_brightens_are_held_back() -> None:
    images = flat([(250, 0, 100)] * 4)
    result = applied(images, still(images)._replace(matrix=tf.constant([MATRIX] * 4)))
    mixed = MATRIX @ [250.0, 0.0, 100.0]
    np.testing.assert_allclose(result[0, 0, 0, 0], mixed * 255 / mixed.max(), atol=0.501)


def test_grey_stays_grey() -> None:
    images = flat([40, 90, 160, 250])
    np.testing.assert_array_equal(changed(images, 1, Augmentation(crosstalk=0.2)), images)


def test_shared_by_the_views_of_a_sample() -> None:
    result = changed(flat([(100, 60, 30)] * 4), 1, Augmentation(crosstalk=0.1))
    np.testing.assert_array_equal(result, np.repeat(result[:, :1], 2, axis=1))
    assert len({tuple(sample[0, 0, 0]) for sample in result}) == 4


def test_draws_are_as_strong_as_asked_for() -> None:
    matrix = draw_matrix(seeds(1), 4000, Augmentation(crosstalk=0.1)).numpy()
    np.testing.assert_allclose(matrix.sum(axis=2), 1.0, atol=1e-5)
    np.testing.assert_allclose(matrix.mean(axis=0), np.eye(3), atol=0.01)
    # Keeping the sum takes a third of the variance.
    np.testing.assert_allclose(matrix.std(axis=0), 0.1 * np.sqrt(2 / 3), rtol=0.05)
