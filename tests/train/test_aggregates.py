"""Aggregates and montage: which view goes where."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from analyte.train.aggregates import AGGREGATES, MONTAGE, aggregate, montage

VIEWS, WIDTH = 3, 5


def aggregated(name: str, features: np.ndarray) -> np.ndarray:
    keras.utils.set_random_seed(0)
    taken = keras.Input((VIEWS * WIDTH,))
    return keras.ops.convert_to_numpy(keras.Model(taken, aggregate(name, taken, VIEWS))(features))


@pytest.fixture
def features() -> np.ndarray:
    """Features ``[N, V * F]``, those of the views one after the other."""
    return np.random.default_rng(0).normal(size=(4, VIEWS * WIDTH)).astype(np.float32)


def test_what_each_gives(features: np.ndarray) -> None:
    by_view = features.reshape(4, VIEWS, WIDTH)
    np.testing.assert_array_equal(aggregated("concat", features), features)
    np.testing.assert_allclose(aggregated("mean", features), by_view.mean(axis=1), atol=1e-6)
    np.testing.assert_array_equal(aggregated("max", features), by_view.max(axis=1))
    # Attention is a weighted mean: within the views, and the weights sum to one.
    pooled = aggregated("attention", features)
    assert (pooled >= by_view.min(axis=1) - 1e-6).all()
    assert (pooled <= by_view.max(axis=1) + 1e-6).all()
    assert aggregated("lstm", features).shape == (4, 32)


@pytest.mark.parametrize("name", ["mean", "max", "attention"])
def test_order_of_views_does_not_matter(name: str, features: np.ndarray) -> None:
    turned = features.reshape(4, VIEWS, WIDTH)[:, ::-1].reshape(4, -1)
    np.testing.assert_allclose(aggregated(name, turned), aggregated(name, features), atol=1e-5)


@pytest.mark.parametrize("name", ["concat", "lstm"])
def test_order_of_views_matters(name: str, features: np.ndarray) -> None:
    turned = features.reshape(4, VIEWS, WIDTH)[:, ::-1].reshape(4, -1)
    assert np.abs(aggregated(name, turned) - aggregated(name, features)).max() > 0.01


@pytest.mark.parametrize("name", AGGREGATES)
def test_one_view_stays_as_it_is(name: str) -> None:
    taken = keras.Input((WIDTH,))
    assert aggregate(name, taken, 1) is taken


@pytest.mark.parametrize(
    ("views", "rows", "columns"), [(2, 1, 2), (3, 2, 2), (4, 2, 2), (5, 2, 3), (9, 3, 3)]
)
def test_montage_tiles(views: int, rows: int, columns: int) -> None:
    pictures = np.random.default_rng(0).normal(size=(2, views, 4, 4, 3)).astype(np.float32)
    taken = keras.Input(pictures.shape[1:])
    tiled = keras.ops.convert_to_numpy(keras.Model(taken, montage(taken))(pictures))
    assert tiled.shape == (2, 4 * rows, 4 * columns, 3)
    for view in range(views):
        y, x = 4 * (view // columns), 4 * (view % columns)
        np.testing.assert_array_equal(tiled[:, y : y + 4, x : x + 4], pictures[:, view])
    assert MONTAGE in AGGREGATES
