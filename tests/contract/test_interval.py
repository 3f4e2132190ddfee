"""Conformal intervals: the rank by hand, the coverage by simulation."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from pydantic import ValidationError

from analyte.contract.interval import IntervalCalibration, calibrate_interval


@pytest.mark.parametrize(
    ("n", "coverage", "rank"),
    [
        (9, 0.9, 9),  # (9 + 1) * 0.9 = 9
        (9, 0.5, 5),
        (10, 0.5, 6),  # 5.5, rounded up
        (19, 0.95, 19),
        (39, 0.95, 38),
        (99, 0.95, 95),
        (100, 0.95, 96),  # 95.95, rounded up
        (5, 0.95, 5),  # the rank 6 does not exist
        (1, 0.95, 1),
    ],
)
def test_rank(n: int, coverage: float, rank: int) -> None:
    residuals = np.random.default_rng(0).permutation(np.arange(1.0, n + 1)) * np.where(
        np.arange(n) % 2, 1, -1
    )
    found = calibrate_interval(residuals, np.zeros(n), np.ones(n), coverage=coverage)
    assert (found.quantile, found.n) == (rank, n)
    # Where the rank does not exist, no more is stated than n residuals can carry.
    assert found.coverage == min(coverage, n / (n + 1))


@pytest.mark.parametrize("percent", [50, 80, 90, 95, 99])
def test_floating_point_never_moves_the_rank(percent: int) -> None:
    for n in range(1, 1500):
        exact = math.ceil((n + 1) * Fraction(percent, 100))
        assert math.ceil((n + 1) * (percent / 100)) == exact


def test_scaled_by_sigma() -> None:
    true, sigma = np.array([10.0, 20.0, 30.0]), np.array([1.0, 2.0, 4.0])
    found = calibrate_interval(true, true + np.array([3.0, -4.0, 4.0]), sigma, coverage=0.5)
    assert found.quantile == 2.0  # scores 3, 2, 1


@pytest.mark.parametrize("coverage", [0.8, 0.95])
def test_coverage_of_exchangeable_data(coverage: float) -> None:
    """On average it lies between ``c`` and ``c + 1 / (n + 1)``, whatever the distribution."""
    rng = np.random.default_rng(1)
    n, hits, trials = 60, 0, 4000
    for _ in range(trials):
        sigma = rng.uniform(0.2, 5.0, n + 1)
        error = sigma * rng.standard_t(2, n + 1)
        found = calibrate_interval(error[:n], np.zeros(n), sigma[:n], coverage=coverage)
        hits += abs(error[n]) <= found.quantile * sigma[n]
    tolerance = 4 * math.sqrt(coverage * (1 - coverage) / trials)
    assert coverage - tolerance <= hits / trials <= coverage + 1 / (n + 1) + tolerance


ONE = np.ones(3)


@pytest.mark.parametrize(
    ("true", "predicted", "sigma"),
    [
        (np.ones(0), np.ones(0), np.ones(0)),
        (ONE, ONE, np.ones(1)),
        (ONE, np.ones((3, 1)), ONE),
        (ONE, ONE, np.zeros(3)),
        (ONE, ONE, -ONE),
        (ONE, np.array([1.0, math.nan, 1.0]), ONE),
        (ONE, ONE, np.array([1.0, math.inf, 1.0])),
    ],
)
def test_what_cannot_be_calibrated(true: np.ndarray, predicted: np.ndarray, sigma: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected"):
        calibrate_interval(true, predicted, sigma, coverage=0.95)


@pytest.mark.parametrize("coverage", [0.0, 1.0, -1.0, math.nan])
def test_coverage_is_a_share(coverage: float) -> None:
    with pytest.raises(ValueError, match="expected a coverage"):
        calibrate_interval(ONE, ONE, ONE, coverage=coverage)


@pytest.mark.parametrize("quantile", [-1.0, math.nan, math.inf])
def test_quantile_is_a_number(quantile: float) -> None:
    with pytest.raises(ValidationError):
        IntervalCalibration(coverage=0.9, quantile=quantile, n=3)
