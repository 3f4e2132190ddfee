"""The rules between a prediction and a reading."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyte.contract.foreign import ForeignCalibration
from analyte.contract.interval import IntervalCalibration
from analyte.contract.label import LabelSpec
from analyte.contract.reading import Flag, Reason
from analyte.runtime.control.recalibration import Correction
from analyte.runtime.engines.protocol import Prediction
from analyte.runtime.judgement import Distance, Judgement, Rules, SecondOpinion, judge, with_correction
from runtime.tiny_bundles import flat_curve

LABEL = LabelSpec(analyte="dye", unit="mg/L", range=(10.0, 20.0))
INTERVAL = IntervalCalibration(coverage=0.9, quantile=2.0, n=50)


@pytest.mark.parametrize("value", [10.0, 15.0, 20.0])
def test_in_range(value: float) -> None:
    result = judge(value, 0.25, LABEL, INTERVAL)
    assert (result.value, result.sigma) == (value, 0.25)
    assert (result.lower, result.upper) == (value - 0.5, value + 0.5)
    assert (result.flags, result.reason, result.detail) == ((), None, "")


@pytest.mark.parametrize("value", [9.75, 20.25, 9.5, 20.5])
def test_out_of_range_by_less_than_the_half_width_is_flagged(value: float) -> None:
    result = judge(value, 0.25, LABEL, INTERVAL)
    assert (result.value, result.flags, result.reason) == (value, (Flag.OUT_OF_RANGE,), None)
    assert "expected 10 to 20 mg/L" in result.detail


@pytest.mark.parametrize("value", [9.25, 20.75, -1e30, 1e30])
def test_out_of_range_by_more_is_refused(value: float) -> None:
    result = judge(value, 0.25, LABEL, INTERVAL)
    assert result.reason is Reason.OUT_OF_RANGE
    assert (result.value, result.lower, result.upper, result.sigma) == (None, None, None, None)
    assert "expected 10 to 20 mg/L" in result.detail


@pytest.mark.parametrize(
    ("value", "sigma"),
    [(math.nan, 1.0), (math.inf, 1.0), (-math.inf, 1.0), (15.0, math.nan), (15.0, math.inf), (15.0, -0.1)],
)
def test_not_finite_is_refused(value: float, sigma: float) -> None:
    result = judge(value, sigma, LABEL, INTERVAL)
    assert result.reason is Reason.NOT_FINITE
    assert result.value is None


@given(st.floats(), st.floats())
def test_a_value_is_given_only_with_a_finite_interval_around_it(value: float, sigma: float) -> None:
    result = judge(value, sigma, LABEL, INTERVAL)
    if result.reason is not None:
        assert result.value is None
        assert result.detail
        return
    assert result.value is not None
    assert result.lower is not None
    assert result.upper is not None
    assert math.isfinite(result.lower)
    assert math.isfinite(result.upper)
    assert result.lower <= result.value <= result.upper
    in_range = LABEL.low <= result.value <= LABEL.high
    assert result.flags == (() if in_range else (Flag.OUT_OF_RANGE,))


@pytest.mark.parametrize("curve", [12.0, 18.0])
def test_a_second_opinion_that_agrees_changes_nothing(curve: float) -> None:
    assert judge(15.0, 0.25, LABEL, INTERVAL, SecondOpinion(curve, 3.0)) == judge(15.0, 0.25, LABEL, INTERVAL)


@pytest.mark.parametrize("curve", [11.9, 18.1, 400.0, math.nan, math.inf, -math.inf])
def test_a_second_opinion_that_disagrees_refuses(curve: float) -> None:
    result = judge(15.0, 0.25, LABEL, INTERVAL, SecondOpinion(curve, 3.0))
    assert result.reason is Reason.IMPLAUSIBLE
    assert (result.value, result.lower, result.upper) == (None, None, None)
    assert "agree within 3 mg/L; got 15 and" in result.detail


@pytest.mark.parametrize("distance", [0.0, 5.0])
def test_a_picture_near_those_of_the_training_changes_nothing(distance: float) -> None:
    near = judge(15.0, 0.25, LABEL, INTERVAL, distance=Distance(distance, 5.0))
    assert near == judge(15.0, 0.25, LABEL, INTERVAL)


@pytest.mark.parametrize("distance", [5.01, 1e30, math.nan, math.inf])
def test_a_foreign_picture_is_refused_whatever_its_value(distance: float) -> None:
    for value, second in ((15.0, None), (15.0, SecondOpinion(99.0, 1.0)), (99.0, None)):
        result = judge(value, 0.25, LABEL, INTERVAL, second, Distance(distance, 5.0))
        assert result.reason is Reason.FOREIGN
        assert (result.value, result.lower, result.upper) == (None, None, None)
        assert "does not look like the training pictures" in result.detail
        assert f"within 5 standard deviations of theirs; got {distance:.3g}" in result.detail


def test_rules_judge_each_of_a_batch() -> None:
    """The curve says 0 of every picture; features further than 2 from 0 are foreign."""
    foreign = ForeignCalibration(
        mean=(0.0, 0.0), directions=(), variances=(), rest=1.0, limit=2.0, refused=0.02, groups=1
    )
    rules = Rules(LABEL, INTERVAL, flat_curve(1), 16.0, foreign)
    prediction = Prediction(
        value=np.array([15.0, 15.0, 19.0, np.nan, 15.0], np.float32),
        sigma=np.full(5, 0.25, np.float32),
        features=np.array([[1, 1], [1, 2], [0, 0], [0, 0], [np.nan, 0]], np.float32),
    )
    judged = rules.judge(np.zeros((5, 1, 8, 8, 3), np.uint8), prediction)
    expected = [None, Reason.FOREIGN, Reason.IMPLAUSIBLE, Reason.NOT_FINITE, Reason.FOREIGN]
    assert [judgement.reason for judgement in judged] == expected
    lenient = Rules(LABEL, INTERVAL, flat_curve(1), None, None)
    reasons = [j.reason for j in lenient.judge(np.zeros((5, 1, 8, 8, 3), np.uint8), prediction)]
    assert reasons == [None, None, None, Reason.NOT_FINITE, None]


def line(slope: float, intercept: float, se: float = 0.0) -> Correction:
    return Correction(slope, intercept, 0.0, se, 15.0, se)


def corrected(value: float, correction: Correction) -> Judgement:
    return with_correction(judge(value, 0.25, LABEL, INTERVAL), correction, LABEL, INTERVAL)


class TestCorrection:
    def test_value_interval_and_sigma(self) -> None:
        result = corrected(13.0, line(1.2, -1.0))
        assert (result.value, result.sigma) == (pytest.approx(14.6), pytest.approx(0.3))
        assert (result.lower, result.upper) == (pytest.approx(14.0), pytest.approx(15.2))
        assert (result.flags, result.reason) == ((), None)

    def test_what_the_line_is_uncertain_by_widens_them(self) -> None:
        result = corrected(13.0, line(1.2, -1.0, se=0.4))
        assert result.sigma == pytest.approx(0.5)
        assert result.upper == pytest.approx(15.6)

    def test_out_of_range_afterwards(self) -> None:
        flagged = corrected(19.8, line(1.0, 0.5))
        assert (flagged.value, flagged.flags) == (pytest.approx(20.3), (Flag.OUT_OF_RANGE,))
        refused = corrected(19.8, line(1.0, 1.0))
        assert (refused.value, refused.reason) == (None, Reason.OUT_OF_RANGE)

    def test_out_of_range_before_keeps_its_flag(self) -> None:
        result = corrected(20.3, line(1.0, -1.0))
        assert (result.value, result.flags) == (pytest.approx(19.3), (Flag.OUT_OF_RANGE,))
        assert "got 20.3" in result.detail

    def test_what_was_refused_before_stays_refused(self) -> None:
        assert corrected(21.0, line(1.0, -5.0)).reason is Reason.OUT_OF_RANGE

    def test_rules_compare_network_and_curve_before_it_and_limits_after_it(self) -> None:
        """The curve says 0: 15.9 is within 16 of it, though 17.9 is reported."""
        rules = Rules(LABEL, INTERVAL, flat_curve(1), 16.0, None, lod=18.0)
        prediction = Prediction(
            value=np.array([15.9, 16.1, 16.0], np.float32),
            sigma=np.full(3, 0.25, np.float32),
            features=np.zeros((3, 2), np.float32),
        )
        judged = rules.judge(np.zeros((3, 1, 8, 8, 3), np.uint8), prediction, line(1.0, 2.0))
        assert judged[0].flags == (Flag.BELOW_LOD,)
        assert judged[1].reason is Reason.IMPLAUSIBLE
        assert (judged[2].value, judged[2].flags) == (pytest.approx(18.0), ())
