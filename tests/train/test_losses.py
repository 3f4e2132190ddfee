"""Losses, by hand."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest

from analyte.contract.label import LabelSpec
from analyte.train.label_scale import LabelScale, Transform
from analyte.train.losses import LOSSES, scalar_loss

LABEL = LabelSpec(analyte="a", unit="u", range=(0.0, 200.0))


def loss_of(name: str, true: float, found: float, transform: Transform = "scale") -> float:
    scale = LabelScale.of(LABEL, transform)
    z = scale.scaled(np.array([true, found]))
    tensors = (keras.ops.convert_to_tensor([float(x)], "float32") for x in z)
    return float(keras.ops.convert_to_numpy(scalar_loss(name, scale)(*tensors))[0])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # 50 and 60 of 200 lie 0.1 apart where the range is -1 to 1.
        ("mse", 0.01),
        ("mae", 0.1),
        # Beyond delta = 0.05 * 2 = 0.1 linear, at it half the squared error over delta.
        ("huber", 0.5 * 0.1),
        ("mape", 0.2),
        ("log-cosh", math.log(math.cosh(0.1))),
    ],
)
def test_by_hand(name: str, expected: float) -> None:
    assert loss_of(name, 50.0, 60.0) == pytest.approx(expected, rel=1e-3)


def test_huber_far_out_is_linear() -> None:
    # 50 and 150: 1.0 apart, delta 0.1: 0.1 * (1.0 - 0.05) / 0.1.
    assert loss_of("huber", 50.0, 150.0) == pytest.approx(0.95, rel=1e-3)


@pytest.mark.parametrize("transform", ["scale", "log", "none"])
def test_mape_is_of_the_value_on_every_scale(transform: Transform) -> None:
    assert loss_of("mape", 50.0, 60.0, transform) == pytest.approx(0.2, rel=1e-3)


def test_mape_at_zero_is_finite() -> None:
    # A true 0 counts as a hundredth of the range: 1 over 2.
    assert loss_of("mape", 0.0, 1.0) == pytest.approx(0.5, rel=1e-3)


@pytest.mark.parametrize("name", LOSSES)
def test_no_error_no_loss(name: str) -> None:
    assert loss_of(name, 42.0, 42.0) == pytest.approx(0.0, abs=1e-6)
    assert loss_of(name, 0.0, 200.0) > loss_of(name, 0.0, 100.0) > 0
