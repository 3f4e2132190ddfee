"""The one sentence about network and calibration curve."""

from __future__ import annotations

import numpy as np
import pytest

from analyte.contract.arrays import Float64Array
from analyte.contract.verdict import compare_with_curve, comparison_sentence

GROUPS = [f"g{i // 2}" for i in range(12)]


def errors(size: float) -> Float64Array:
    return np.full(12, size)


@pytest.mark.parametrize(
    ("network", "curve", "sentence"),
    [
        (
            1.0,
            2.5,
            "The network beats the calibration curve: MAE 1.000 against 2.500 mg/L, a difference of "
            "-1.500 with 95 % confidence (-1.500 to -1.500).",
        ),
        (
            2.5,
            1.0,
            "The network does NOT beat the calibration curve: MAE 2.500 against 1.000 mg/L, a difference "
            "of 1.500 with 95 % confidence (1.500 to 1.500). Prefer the curve.",
        ),
        (
            -2.5,
            2.5,
            "The network cannot be told apart from the calibration curve: MAE 2.500 against 2.500 mg/L, a "
            "difference of 0.000 with 95 % confidence (0.000 to 0.000).",
        ),
    ],
)
def test_outcomes(network: float, curve: float, sentence: str) -> None:
    """Every group says the same, so the interval is a point."""
    true = np.arange(12.0)
    found = compare_with_curve(true, true + errors(network), true + errors(curve), GROUPS, "mg/L")
    assert found.sentence == sentence
    assert (found.network_mae, found.curve_mae) == (abs(network), abs(curve))
    assert found.comparison.groups == 6


@pytest.mark.parametrize(("groups", "words"), [(1, "1 independent group,"), (5, "5 independent groups,")])
def test_too_few_groups_decide_nothing(groups: int, words: str) -> None:
    true, names = np.zeros(10), [f"g{i % groups}" for i in range(10)]
    found = compare_with_curve(true, true + 5.0, true + 1.0, names, "mg/L")
    assert found.sentence == (
        "The network cannot be told apart from the calibration curve: MAE 5.000 against 1.000 mg/L, a "
        f"difference of 4.000; better in 0 of {words} and 95 % confidence takes at least 6."
    )


def test_folds_are_called_folds() -> None:
    comparison = compare_with_curve(np.zeros(2), np.ones(2), np.ones(2), ["a", "b"], "mg/L").comparison
    assert "0 of 2 independent folds," in comparison_sentence(comparison, 1.0, 1.0, "mg/L", "fold")
