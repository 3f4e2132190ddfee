"""CUSUM and EWMA by hand, and what they see that no single control shows."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from analyte.contract.sections.control import DriftSection
from analyte.runtime.control.drift import cusum, drift_of, ewma

z_values = st.lists(st.floats(-6, 6), min_size=1, max_size=40)


def test_cusum_by_hand() -> None:
    # C+: 0.5, 0 (max), 1.5, 3.0; C-: 0, 1.5, 0, 0 with slack 0.5.
    found = cusum([1.0, -2.0, 2.0, 2.0], slack=0.5, decision=3.0)
    assert (found.upper, found.lower, found.alarm) == (3.0, 0.0, False)
    beyond = cusum([1.0, -2.0, 2.0, 2.1], slack=0.5, decision=3.0)
    assert beyond.upper == pytest.approx(3.1)
    assert beyond.alarm
    below = cusum([-2.0, -2.0], slack=0.5, decision=2.9)
    assert (below.lower, below.shift, below.alarm) == (-3.0, -3.0, True)


def test_cusum_sees_one_s_after_eleven_controls_which_no_single_rule_of_3s_sees() -> None:
    # With k = 0.5 each adds 0.5: the sum exceeds 5 at the eleventh.
    assert not cusum([1.0] * 10, slack=0.5, decision=5.0).alarm
    assert cusum([1.0] * 11, slack=0.5, decision=5.0).alarm


def test_ewma_by_hand() -> None:
    found = ewma([1.0, 2.0], weight=0.2, width=3.0)
    assert found.upper == pytest.approx(0.2 * 2.0 + 0.8 * 0.2)
    assert found.limit == pytest.approx(3.0 * math.sqrt(0.2 / 1.8 * (1 - 0.8**4)))


def test_ewma_of_weight_one_is_the_shewhart_chart() -> None:
    assert not ewma([0.0, 3.0], weight=1.0, width=3.0).alarm
    assert ewma([0.0, -3.01], weight=1.0, width=3.0).alarm


@given(z_values)
def test_mirrored_controls_alarm_alike(z: list[float]) -> None:
    other = [-one for one in z]
    assert cusum(z, slack=0.5, decision=5).alarm == cusum(other, slack=0.5, decision=5).alarm
    assert ewma(z, weight=0.2, width=2.962).alarm == ewma(other, weight=0.2, width=2.962).alarm


@given(z_values, st.floats(0.1, 8))
def test_both_charts_are_in_proportion(z: list[float], factor: float) -> None:
    scaled = [factor * one for one in z]
    sums = cusum(z, slack=0.5, decision=5), cusum(scaled, slack=0.5 * factor, decision=5 * factor)
    assert sums[1].upper == pytest.approx(factor * sums[0].upper, abs=1e-9)
    assert sums[1].lower == pytest.approx(factor * sums[0].lower, abs=1e-9)
    averages = ewma(z, weight=0.3, width=3), ewma(scaled, weight=0.3, width=3)
    assert averages[1].upper == pytest.approx(factor * averages[0].upper, abs=1e-9)


def test_the_profile_chooses() -> None:
    assert drift_of([6.0], DriftSection(method="cusum")).alarm
    assert not drift_of([6.0], DriftSection(method="cusum", decision=5.5)).alarm
    assert drift_of([3.0], DriftSection(method="ewma")).alarm
    with pytest.raises(ValueError, match="at least one"):
        drift_of([], DriftSection(method="ewma"))


def test_keys_of_the_other_method_are_refused() -> None:
    with pytest.raises(ValidationError, match="weight is no key of method 'cusum'"):
        DriftSection.model_validate({"method": "cusum", "weight": 0.1})
