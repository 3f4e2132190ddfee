"""The label's scale: there and back, and what the logarithm does to widths."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from analyte.contract.label import LabelSpec
from analyte.train.label_scale import TRANSFORMS, LabelScale, Transform

RANGES = [(0.0, 10.0), (80.0, 350.0), (-3.0, 14.5), (22000.0, 5858000.0), (1e-9, 5e-7)]


def numbers(tensor: object) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor).astype(np.float64)


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("limits", RANGES)
def test_there_and_back(transform: Transform, limits: tuple[float, float]) -> None:
    label = LabelSpec(analyte="a", unit="u", range=limits)
    scale = LabelScale.of(label, transform)
    values = np.linspace(*limits, 21)
    z = scale.scaled(values)
    assert (np.diff(z) > 0).all()
    assert (z[0], z[-1]) == pytest.approx((scale.low, scale.high))
    back = numbers(scale.value(keras.ops.convert_to_tensor(z, "float32")))
    np.testing.assert_allclose(back, values, rtol=1e-5, atol=1e-5 * label.span)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_width_is_the_slope(transform: Transform) -> None:
    """A small step of z moves the value by as much as `width` says."""
    scale = LabelScale.of(LabelSpec(analyte="a", unit="u", range=(1.0, 100.0)), transform)
    z = np.linspace(scale.low, scale.high, 7)
    step = 1e-2 * (scale.high - scale.low)
    ends = [numbers(scale.value(keras.ops.convert_to_tensor(z + s, "float32"))) for s in (-step, step)]
    small = keras.ops.full((7,), step, dtype="float32")
    width = numbers(scale.width(small, keras.ops.convert_to_tensor(z, "float32")))
    np.testing.assert_allclose(width, (ends[1] - ends[0]) / 2.0, rtol=2e-3)


def test_logarithm_of_a_range_that_starts_at_zero() -> None:
    """A hundredth of the range keeps the logarithm finite; values below the pole stay finite too."""
    scale = LabelScale.of(LabelSpec(analyte="a", unit="u", range=(0.0, 10.0)), "log")
    assert scale.offset == pytest.approx(0.1)
    assert np.isfinite(scale.scaled(np.array([-5.0, -0.1, 0.0]))).all()


def test_equal_ratios_are_equal_steps() -> None:
    scale = LabelScale.of(LabelSpec(analyte="a", unit="u", range=(1.0, 1000.0)), "log")
    z = scale.scaled(np.array([1.0, 10.0, 100.0, 1000.0]))
    np.testing.assert_allclose(np.diff(z), 2.0 / 3.0, rtol=1e-9)
