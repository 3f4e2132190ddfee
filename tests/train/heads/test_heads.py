"""What every head does: finds a value that is in the features, and says how sure it is."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from analyte.contract.label import LabelSpec
from analyte.train.heads.constant_sigma import set_sigma
from analyte.train.heads.registry import HEADS
from analyte.train.label_scale import LabelScale

LABEL = LabelSpec(analyte="a", unit="mg/L", range=(2.0, 10.0))
SCALE = LabelScale.of(LABEL, "scale")
PAIRS = [(name, loss) for name, head in HEADS.items() for loss in head.losses]


def fitted_head(name: str, loss: str, noise: float = 0.0) -> tuple[keras.Model, np.ndarray, np.ndarray]:
    """Fit a head on features that hold the label; return model, features and z."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    z = rng.uniform(-1.0, 1.0, 512)
    features = np.stack([z, z**2, np.ones_like(z)], axis=1) + rng.normal(0.0, noise, (512, 3))
    features = features.astype(np.float32)
    taken = keras.Input((3,))
    hidden = keras.layers.Dense(32, activation="relu")(taken)
    head = HEADS[name].build(hidden, SCALE)
    learner = keras.Model(taken, head.fitted)
    learner.compile(keras.optimizers.Adam(0.02), HEADS[name].loss(loss, SCALE))
    learner.fit(features, HEADS[name].targets(z, SCALE), epochs=40, batch_size=128, verbose=0)
    return keras.Model(taken, {"z": head.z, "sigma": head.sigma}), features, z


@pytest.mark.parametrize(("name", "loss"), PAIRS)
def test_learns(name: str, loss: str) -> None:
    model, features, z = fitted_head(name, loss)
    out = model(features)
    error = keras.ops.convert_to_numpy(out["z"]) - z
    # A constant is off by 0.5 on average.
    assert float(np.abs(error).mean()) < 0.06
    sigma = keras.ops.convert_to_numpy(out["sigma"])
    assert sigma.shape == (512,)
    assert (sigma > 0).all()


@pytest.mark.parametrize("name", [name for name, head in HEADS.items() if head.learns_sigma])
def test_sigma_follows_the_noise(name: str) -> None:
    sigmas = []
    for noise in (0.0, 0.3):
        model, features, _ = fitted_head(name, HEADS[name].losses[0], noise)
        sigmas.append(float(np.median(keras.ops.convert_to_numpy(model(features)["sigma"]))))
    assert sigmas[1] > 1.5 * sigmas[0]


@pytest.mark.parametrize("name", [name for name, head in HEADS.items() if not head.learns_sigma])
def test_constant_sigma_is_what_it_is_set_to(name: str) -> None:
    model, features, _ = fitted_head(name, "mse")
    set_sigma(model, 0.123)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(model(features)["sigma"]), 0.123, rtol=1e-6)


def test_bounded_never_leaves_the_range() -> None:
    model, _, _ = fitted_head("bounded", "mse")
    wild = np.random.default_rng(1).normal(0.0, 1e3, (256, 3)).astype(np.float32)
    z = keras.ops.convert_to_numpy(model(wild)["z"])
    assert z.min() >= -1.0
    assert z.max() <= 1.0
    assert np.ptp(z) > 1.9
