"""Conformal intervals: the rank by hand and by a library, the coverage by simulation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from crepes import ConformalRegressor
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


# Never a whole rank: there the library rounds (1 - 0.9) * (n + 1) as floating point has it.
@pytest.mark.parametrize("n", [12, 60, 197])
def test_ungrouped_as_the_library_does_it(n: int) -> None:
    rng = np.random.default_rng(n)
    error, sigma = rng.standard_t(4, n), rng.uniform(0.3, 2.0, n)
    peer = ConformalRegressor()
    peer.fit(error, sigmas=sigma)
    for coverage in (0.5, 0.8, 0.9):
        found = calibrate_interval(error, np.zeros(n), sigma, coverage=coverage)
        expected = peer.predict_int(np.zeros(1), sigmas=np.ones(1), confidence=coverage)[0]
        assert expected == pytest.approx([-found.quantile, found.quantile], rel=1e-12)


def grouped(error: np.ndarray, groups: Sequence[str], coverage: float = 0.95) -> IntervalCalibration:
    return calibrate_interval(
        error, np.zeros(len(error)), np.ones(len(error)), coverage=coverage, groups=groups
    )


class TestGroups:
    """Calibrated for groups that were not seen."""

    def test_by_hand(self) -> None:
        error = np.array([1.0, -1.0, 1.0, -1.0, 4.0, -4.0, 4.0, -4.0, 2.0, -2.0, 2.0, -2.0])
        found = grouped(error, [*"aaaabbbbcccc"], 0.4)
        # Pooled, a third of the weight lies at 1, two thirds up to 2: 40 % are reached at 2. Of the others of
        # a, half lies at 2; of those of b and of c, half lies at 1. Relative to these a is at 0.5, c at 2 and
        # b at 4: 40 % are reached at 2.
        assert (found.quantile, found.n, found.groups) == (2.0 * 2.0, 12, 3)

    def test_many_residuals_of_one_group_count_no_more_than_few_of_another(self) -> None:
        rng = np.random.default_rng(0)
        parts = [rng.normal(0, scale, 40) for scale in (1.0, 2.0, 3.0, 5.0)]
        names = [name for name in "abcd" for _ in range(40)]
        once = grouped(np.concatenate(parts), names)
        # The first group twenty times over: the same distribution in each group.
        often = grouped(np.concatenate([np.tile(parts[0], 20), *parts[1:]]), ["a"] * 760 + names)
        assert often.quantile == once.quantile
        assert grouped(np.concatenate(parts)[::-1], names[::-1]) == once

    def test_equal_groups_change_nothing(self) -> None:
        error = np.tile(np.arange(1.0, 41.0), 5)
        alone = calibrate_interval(error, np.zeros(200), np.ones(200), coverage=0.95)
        assert grouped(error, [str(i // 40) for i in range(200)]).quantile == alone.quantile == 39.0

    def test_each_its_own_group(self) -> None:
        error = np.random.default_rng(1).normal(size=50)
        alone = calibrate_interval(error, np.zeros(50), np.ones(50), coverage=0.9)
        found = grouped(error, list(map(str, range(50))), 0.9)
        assert found.quantile == alone.quantile
        assert (alone.groups, found.groups) == (None, 50)

    def test_pooled_quantile_is_the_least(self) -> None:
        rng = np.random.default_rng(2)
        for groups in (2, 5, 9):
            names = rng.integers(0, groups, 120)
            error = rng.normal(size=groups)[names] + 0.3 * rng.normal(size=120)
            weight = 1.0 / np.bincount(names)[names]
            pooled = np.quantile(np.abs(error), 0.95, weights=weight, method="inverted_cdf")
            assert grouped(error, list(map(str, names))).quantile >= pooled

    @pytest.mark.parametrize(("groups", "guaranteed"), [(4, 0.76), (19, 0.9025), (1, 0.475)])
    def test_what_is_guaranteed(self, groups: int, guaranteed: float) -> None:
        error = np.random.default_rng(0).normal(size=190)
        found = grouped(error, [str(i % groups) for i in range(190)])
        assert (found.coverage, found.groups) == (0.95, groups)
        assert found.guaranteed == pytest.approx(guaranteed)
        alone = calibrate_interval(error, np.zeros(190), np.ones(190), coverage=0.95)
        assert alone.guaranteed == alone.coverage == 0.95

    @pytest.mark.parametrize("groups", [4, 8, 20])
    @pytest.mark.parametrize("bias", [0.0, 1.0])
    def test_coverage_of_new_groups(self, groups: int, bias: float) -> None:
        """Sessions with a bias of their own; the new one is drawn like those of the calibration."""
        rng = np.random.default_rng(groups)
        names = np.repeat(np.arange(groups), 25)
        new = rng.normal(0, bias, 20_000) + rng.normal(size=20_000)
        shares = [
            np.mean(np.abs(new) <= grouped(error, list(map(str, names))).quantile)
            for error in (
                rng.normal(0, bias, groups)[names] + rng.normal(size=names.size) for _ in range(300)
            )
        ]
        assert 0.935 <= np.mean(shares) <= 0.965

    def test_holds_where_residuals_taken_one_by_one_do_not(self) -> None:
        rng = np.random.default_rng(0)
        names, new = np.repeat(np.arange(8), 25), rng.normal(0, 3, 20_000) + rng.normal(size=20_000)
        by_group, alone = [], []
        for _ in range(300):
            error = rng.normal(0, 3, 8)[names] + rng.normal(size=names.size)
            by_group.append(np.mean(np.abs(new) <= grouped(error, list(map(str, names))).quantile))
            single = calibrate_interval(error, np.zeros(200), np.ones(200), coverage=0.95)
            alone.append(np.mean(np.abs(new) <= single.quantile))
        assert np.mean(alone) < 0.925 < 0.935 < np.mean(by_group)

    def test_perfect_in_all_groups_but_one(self) -> None:
        assert (
            grouped(np.array([0.0, 0.0, 0.0, 0.0, 7.0, 8.0]), ["a", "a", "b", "b", "c", "c"]).quantile == 8.0
        )
        assert grouped(np.zeros(4), ["a", "a", "b", "b"]).quantile == 0.0

    def test_a_group_for_each_residual(self) -> None:
        with pytest.raises(ValueError, match="a group for each of 3 residuals, got 2"):
            grouped(np.ones(3), ["a", "b"])
