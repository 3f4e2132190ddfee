"""Turning a photograph about its middle."""

from __future__ import annotations

import numpy as np
import pytest

from analyte.contract.arrays import Float64Array, UInt8Array
from analyte.contract.dataset import Sample
from analyte.train.report.rotation import ANGLES, RotationCurve, rotation_curves, turn_all

QUARTER = ANGLES // 4


def noise(size: int) -> UInt8Array:
    return np.random.default_rng(0).integers(0, 256, (2, size, size, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [8, 9])
def test_quarter_turns_are_exact(size: int) -> None:
    views = noise(size)
    turned = turn_all(views)
    assert turned.shape == (ANGLES, 2, size, size, 3)
    assert turned.dtype == np.uint8
    for turns in range(4):
        np.testing.assert_array_equal(turned[turns * QUARTER], np.rot90(views, turns, axes=(1, 2)))


@pytest.mark.parametrize("size", [16, 17])
def test_other_angles_turn_the_same_way_about_the_same_point(size: int) -> None:
    """The brightest point, off the middle, goes round counter-clockwise on a circle."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    blob = 255 * np.exp(-((x - 3) ** 2 + y**2) / 3)
    turned = turn_all(np.repeat(blob[None, :, :, None], 3, axis=3).astype(np.uint8))[:, 0, :, :, 0].astype(
        float
    )
    weight = turned.sum(axis=(1, 2))
    angle = np.arctan2(-(turned * y).sum(axis=(1, 2)) / weight, (turned * x).sum(axis=(1, 2)) / weight)
    expected = np.arange(ANGLES) * 2 * np.pi / ANGLES
    assert np.abs(np.angle(np.exp(1j * (angle - expected)))).max() < np.radians(2.5)
    radius = np.hypot((turned * y).sum(axis=(1, 2)), (turned * x).sum(axis=(1, 2))) / weight
    # The corners reflect a little of it.
    assert radius == pytest.approx(3, abs=0.25)


def test_a_plain_picture_stays_as_it_is() -> None:
    """No black corners come in."""
    np.testing.assert_array_equal(turn_all(np.full((1, 16, 16, 3), 77, np.uint8)), 77)


def test_low_middle_and_high_values_are_turned() -> None:
    true = np.array([5.0, 1.0, 9.0, 4.0, 7.0])
    pictures = np.arange(5, dtype=np.uint8)[:, None, None, None, None] * np.ones((1, 8, 8, 3), np.uint8)
    samples = [Sample(f"s{i}", value, (), "g", "g", None) for i, value in enumerate(true)]

    def turned(views: UInt8Array, index: int) -> Float64Array:
        assert views.max() == views.min() == index
        return np.full(len(views), float(index))

    curves = rotation_curves(turned, pictures, true, samples)
    assert [(curve.sample_id, curve.true) for curve in curves] == [("s1", 1.0), ("s0", 5.0), ("s2", 9.0)]
    assert [curve.values.tolist() for curve in curves] == [[1.0] * ANGLES, [0.0] * ANGLES, [2.0] * ANGLES]
    assert len(rotation_curves(turned, pictures[:1], true[:1], samples[:1])) == 1


def test_deviations() -> None:
    values = np.full(ANGLES, 2.0)
    values[[QUARTER, 2 * QUARTER, 3 * QUARTER, 1]] = 2.1, 1.7, 2.0, 5.0
    curve = RotationCurve("s", 2.0, values)
    assert curve.quarter_turns == pytest.approx([0.1, -0.3, 0.0])
    assert curve.deviation[1] == pytest.approx(3.0)
