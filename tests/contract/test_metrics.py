"""Errors, against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analyte.contract.metrics import regression_metrics


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
