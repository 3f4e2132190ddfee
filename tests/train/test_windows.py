"""Round windows: where they lie, what they add up to, and that they know no direction."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from analyte.train.recipes.symmetric import ring_means
from analyte.train.windows import circular_window, ring_windows


@pytest.mark.parametrize("size", [8, 10, 32])
def test_rings_share_out_the_picture(size: int) -> None:
    windows = ring_windows(size, 4, 0.1)
    np.testing.assert_allclose(windows.sum(axis=(1, 2)), 1.0)
    assert windows.min() >= 0.0
    at = np.arange(size) - (size - 1) / 2
    radius = np.hypot(at[:, np.newaxis], at) / size
    middles = (windows * radius).sum(axis=(1, 2))
    np.testing.assert_allclose(middles, [0.08, 0.19, 0.31, 0.5], atol=0.03)
    for turned in (np.rot90(windows, axes=(1, 2)), windows[:, ::-1]):
        np.testing.assert_allclose(turned, windows, atol=1e-12)


def test_too_few_pixels_for_the_rings() -> None:
    with pytest.raises(ValueError, match="need more pixels than 4 x 4"):
        ring_windows(4, 4, 0.1)


def test_a_disc_ends_where_it_should() -> None:
    disc = circular_window(100, 0.3, 0.1)
    row = disc[50, 50:]
    assert (row[:24] == 1.0).all()
    assert (row[36:] == 0.0).all()
    assert row[29] == pytest.approx(0.5, abs=0.1)


def test_ring_means_say_where_something_is() -> None:
    pictures = np.zeros((2, 8, 8, 1), np.float32)
    pictures[0, 3:5, 3:5], pictures[1, 0, 0] = 1.0, 1.0
    middle, corner = keras.ops.convert_to_numpy(ring_means(keras.ops.convert_to_tensor(pictures), 4))
    assert middle.argmax() == 0
    assert corner.argmax() == 3
    assert corner[:2].max() == 0.0
