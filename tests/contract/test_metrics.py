"""Errors, against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analyte.contract.metrics import compare_group_mae, compare_mae, metrics_by, regression_metrics


def test_by_hand() -> None:
    found = regression_metrics(np.array([1.0, 2.0, 3.0, 6.0]), np.array([1.5, 2.0, 1.0, 7.0]))
    # Errors +0.5, 0, -2, +1; the mean of the true values is 3, so SS_tot = 4 + 1 + 0 + 9.
    assert found.n == 4
    assert found.mae == pytest.approx(3.5 / 4)
    assert found.rmse == pytest.approx(math.sqrt(5.25 / 4))
    assert found.bias == pytest.approx(-0.5 / 4)
    assert found.max_error == 2.0
    assert found.r2 == pytest.approx(1 - 5.25 / 14)
    assert found.rounded_accuracy == 0.25  # 1.5 rounds up, to 2


def test_perfect() -> None:
    found = regression_metrics(np.array([1.0, 2.0]), np.array([1.0, 2.0], np.float32))
    assert (found.mae, found.rmse, found.bias, found.max_error, found.r2) == (0, 0, 0, 0, 1)
    assert found.rounded_accuracy == 1.0


def test_the_mean_has_an_r2_of_zero() -> None:
    assert regression_metrics(np.array([1.0, 2.0, 6.0]), np.full(3, 3.0)).r2 == pytest.approx(0.0)


@pytest.mark.parametrize("value", [5.0, 0.1, 1e-300, 1e12 + 0.1])
@pytest.mark.parametrize("n", [1, 3, 7])
def test_r2_of_equal_values_does_not_exist(value: float, n: int) -> None:
    assert regression_metrics(np.full(n, value), np.full(n, value + 1)).r2 is None


@pytest.mark.parametrize(("predicted", "right"), [(2.49, 1), (2.5, 0), (1.5, 1), (1.49, 0), (2.0, 1)])
def test_half_rounds_up(predicted: float, right: int) -> None:
    assert regression_metrics(np.array([2.0]), np.array([predicted])).rounded_accuracy == right


def test_rounded_accuracy_is_for_whole_numbers() -> None:
    assert regression_metrics(np.array([1.0, 2.5]), np.array([1.0, 2.5])).rounded_accuracy is None


@pytest.mark.parametrize(("true", "predicted"), [((), ()), ((3,), (2,)), ((3,), (3, 1)), ((3, 1), (3, 1))])
def test_other_shapes(true: tuple[int, ...], predicted: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected two equal"):
        regression_metrics(np.ones(true), np.ones(predicted))


def test_no_values() -> None:
    with pytest.raises(ValueError, match="non-empty"):
        regression_metrics(np.ones(0), np.ones(0))


@pytest.mark.parametrize(
    ("true", "expected"), [([2.0, -4.0], 37.5), ([2.0, 0.0], None), ([5e-324, 1.0], None)]
)
def test_mape(true: list[float], expected: float | None) -> None:
    # |3 - 2| / 2 = 50 %, |-3 - -4| / 4 = 25 %.
    assert regression_metrics(np.array(true), np.array([3.0, -3.0])).mape == expected


def test_by_key() -> None:
    found = metrics_by(np.array([1.0, 2.0, 3.0]), np.array([1.5, 2.0, 2.0]), ["b", "a", "b"])
    assert list(found) == ["b", "a"]
    assert (found["b"].n, found["b"].mae, found["b"].bias) == (2, 0.75, -0.25)
    assert (found["a"].n, found["a"].mae) == (1, 0.0)


def test_by_key_needs_a_key_for_each() -> None:
    with pytest.raises(ValueError, match="key for each of 2"):
        metrics_by(np.ones(2), np.ones(2), ["a"])


class TestComparison:
    """Which of two predictors is better, and how sure that is."""

    def test_difference_by_hand(self) -> None:
        # Absolute errors 1, 3 and 2, 0; means (1 + 3) / 2 = 2 and (2 + 0) / 2 = 1.
        found = compare_mae(np.zeros(2), np.array([1.0, -3.0]), np.array([-2.0, 0.0]), ["a", "b"])
        assert found.difference == 1.0
        # a: 1 against 2; b: 3 against 0.
        assert (found.groups, found.better_in, found.least_groups) == (2, 1, 6)

    def test_equal_differences_leave_no_doubt(self) -> None:
        true = np.arange(12.0)
        groups = [f"g{i // 2}" for i in range(12)]
        found = compare_mae(true, true + 1, true - 3, groups)
        assert (found.difference, found.lower, found.upper) == (-2, -2, -2)
        assert found.verdict == "better"
        assert compare_mae(true, true - 3, true + 1, groups).verdict == "worse"
        assert compare_mae(true, true + 1, true - 1, groups).verdict == "undecided"

    @pytest.mark.parametrize(("confidence", "least"), [(0.5, 2), (0.9, 5), (0.95, 6), (0.99, 8)])
    def test_too_few_groups_for_a_verdict(self, confidence: float, least: int) -> None:
        """2^(1 - 6) = 0.031 <= 0.05 < 2^(1 - 5): five equal signs are a draw of luck more often than 5 %."""
        for count in (least - 1, least):
            true = np.zeros(2 * count)
            groups = [str(i // 2) for i in range(2 * count)]
            found = compare_mae(true, true + 1, true + 2, groups, confidence=confidence)
            assert found.least_groups == least
            assert (found.lower is None) == (found.upper is None) == (count < least)
            assert found.verdict == ("undecided" if count < least else "better")

    @pytest.mark.parametrize("groups", [6, 10, 30])
    def test_coverage(self, groups: int) -> None:
        """95 % intervals hold the true difference in about 95 % of studies.

        Errors within a group are alike: drawing single samples instead of groups gives about 60 %, plain
        percentiles 86 % for 6 groups.
        """
        rng = np.random.default_rng(1)
        studies, each = 200, 8
        names = [str(i // each) for i in range(groups * each)]
        held = 0
        for _ in range(studies):
            shift = np.repeat(rng.normal(0.0, 1.0, groups), each) + rng.normal(0.0, 1.0, groups * each)
            # The absolute errors differ by 0.5 + shift; the first's is large enough to stay positive.
            first = 100.0 + 0.5 + shift
            found = compare_mae(
                np.zeros(first.size), first, np.full(first.size, 100.0), names, resamples=1500
            )
            assert found.lower is not None
            assert found.upper is not None
            held += found.lower <= 0.5 <= found.upper
        assert 0.9 <= held / studies <= 0.99

    def test_from_the_mae_of_groups(self) -> None:
        """The MAE of each fold says as much as the samples do."""
        rng = np.random.default_rng(0)
        groups = sorted(f"g{i % 7}" for i in range(40))
        true, first, second = rng.normal(size=(3, 40))
        by_first, by_second = (
            [m.mae for m in metrics_by(true, values, groups).values()] for values in (first, second)
        )
        counts = [groups.count(name) for name in dict.fromkeys(groups)]
        expected = compare_mae(true, first, second, groups)
        found = compare_group_mae(by_first, by_second, counts)
        assert found.difference == pytest.approx(expected.difference)
        assert (found.lower, found.upper) == (pytest.approx(expected.lower), pytest.approx(expected.upper))
        assert (found.groups, found.better_in) == (7, expected.better_in)
        with pytest.raises(ValueError, match="expected equal"):
            compare_group_mae([1.0], [1.0], [1, 2])

    def test_same_result_every_time(self) -> None:
        rng = np.random.default_rng(0)
        true, first, second = rng.normal(size=(3, 40))
        groups = [str(i % 8) for i in range(40)]
        assert compare_mae(true, first, second, groups) == compare_mae(true, first, second, groups)
        assert compare_mae(true, first, second, groups) != compare_mae(true, first, second, groups, seed=1)

    def test_large_groups_weigh_more(self) -> None:
        """The mean is over samples, also in each resample: the interval lies about the difference."""
        rng = np.random.default_rng(0)
        sizes = [50, 1, 1, 1, 1, 1, 1, 40]
        groups = [str(i) for i, size in enumerate(sizes) for _ in range(size)]
        second = 5.0 + rng.normal(size=len(groups))
        first = second + np.array([1.0 if size > 1 else -1.0 for size in sizes for _ in range(size)])
        found = compare_mae(np.zeros(len(groups)), first, second, groups)
        assert found.difference == pytest.approx((90 - 6) / 96)
        assert found.upper == pytest.approx(1.0, abs=0.1)

    @pytest.mark.parametrize("groups", [[], ["a"], ["a", "b", "c"]])
    def test_unequal_arrays(self, groups: list[str]) -> None:
        with pytest.raises(ValueError, match="expected equal"):
            compare_mae(np.ones(2), np.ones(2), np.ones(2), groups)

    def test_confidence_is_a_share(self) -> None:
        with pytest.raises(ValueError, match="between 0 and 1"):
            compare_mae(np.ones(1), np.ones(1), np.ones(1), ["a"], confidence=95)
