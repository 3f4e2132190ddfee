"""The default at every size that it accepts."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from analyte.train.recipes.isotropic import RECIPE


@pytest.mark.parametrize("size", range(RECIPE.min_size, 161, RECIPE.size_step))
def test_features_are_finite_and_keep_the_symmetries(size: int) -> None:
    """Whatever is left after halving, 5 to 9 pixels or more, holds its rings."""
    keras.utils.set_random_seed(0)
    planes = keras.Input((size, size, 3))
    trunk = keras.Model(planes, RECIPE.trunk(planes))
    picture = np.random.default_rng(size).uniform(-1.0, 1.0, (1, size, size, 3)).astype(np.float32)
    still, turned = (
        keras.ops.convert_to_numpy(trunk(np.ascontiguousarray(taken), training=False))
        for taken in (picture, np.rot90(picture, axes=(1, 2)))
    )
    assert np.isfinite(still).all()
    np.testing.assert_allclose(turned, still, atol=1e-5 * np.abs(still).max())
