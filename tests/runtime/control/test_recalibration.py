"""Corrections by hand, their standard errors, and what is no recalibration."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyte.contract.errors import InputError
from analyte.contract.label import LabelSpec
from analyte.runtime.control.recalibration import METHODS, Correction, Method, Standard, fit

LABEL = LabelSpec(analyte="dye", unit="mg/L", range=(0.0, 100.0))


def standards(*pairs: tuple[float, float], sigma: float = 0.5) -> list[Standard]:
    return [Standard(known, reading, sigma) for known, reading in pairs]


def test_offset_by_hand() -> None:
    # Differences 2, 3, 4: the correction is -3; their standard deviation 1, of the mean 1 / sqrt(3).
    found = fit(standards((10, 12), (10, 13), (50, 54)), "offset", LABEL)
    line = found.correction
    assert (line.slope, line.intercept, line.slope_se) == (1.0, pytest.approx(-3.0), 0.0)
    assert found.residual_sd == pytest.approx(1.0)
    assert line.intercept_se == pytest.approx(1 / math.sqrt(3))
    assert found.largest_residual == pytest.approx(1.0)
    assert line.value(33.0) == pytest.approx(30.0)
    assert line.sigma(33.0, 0.5) == pytest.approx(math.sqrt(0.25 + 1 / 3))


def test_offset_from_one_standard_is_as_uncertain_as_its_reading() -> None:
    found = fit(standards((10, 12), sigma=0.7), "offset", LABEL)
    assert (found.residual_sd, found.correction.intercept) == (None, -2.0)
    assert found.correction.intercept_se == pytest.approx(0.7)


def test_two_points_by_hand() -> None:
    # Readings 10 and 90 for 0 and 100: reading = 10 + 0.8 known, known = 1.25 reading - 12.5.
    found = fit(standards((0, 10), (100, 90), sigma=0.8), "two-point", LABEL)
    line = found.correction
    assert (line.slope, line.intercept) == (pytest.approx(1.25), pytest.approx(-12.5))
    assert (line.value(10), line.value(90)) == (pytest.approx(0), pytest.approx(100))
    # s = 0.8, Sxx = 5000, b = 0.8: se of 1 / b is 0.8 / sqrt(5000) / 0.64; at the centre 0.8 / sqrt(2) / 0.8.
    assert line.slope_se == pytest.approx(0.8 / math.sqrt(5000) / 0.64)
    assert line.centre_se == pytest.approx(1 / math.sqrt(2))
    # At a standard, the line is as uncertain as its reading: 0.8 / 0.8.
    assert line.uncertainty(10) == pytest.approx(1.0)
    assert found.residual_sd is None


def test_replicates_of_two_points_meet_in_their_means() -> None:
    found = fit(standards((20, 21), (20, 23), (80, 85), (80, 87)), "two-point", LABEL)
    assert found.correction.value(22) == pytest.approx(20)
    assert found.correction.value(86) == pytest.approx(80)
    assert found.residual_sd == pytest.approx(math.sqrt(4 / 2))


def test_regression_against_the_textbook() -> None:
    """numpy's polynomial fit gives the line and its covariance; the rest is Eurachem's formula."""
    known, read = [10.0, 30.0, 50.0, 70.0, 90.0], [12.0, 30.5, 51.0, 68.0, 88.5]
    found = fit(standards(*zip(known, read, strict=True)), "regression", LABEL)
    (b, a), covariance = np.polyfit(known, read, 1, cov=True)
    line = found.correction
    assert (line.slope, line.intercept) == (pytest.approx(1 / b), pytest.approx(-a / b))
    assert line.slope_se == pytest.approx(math.sqrt(covariance[0, 0]) / b**2)
    # Delta method for -a / b.
    variance = covariance[1, 1] / b**2 + a**2 * covariance[0, 0] / b**4 - 2 * a * covariance[0, 1] / b**3
    assert line.intercept_se == pytest.approx(math.sqrt(variance))
    residuals = np.array(read) - (a + b * np.array(known))
    s = math.sqrt(float((residuals**2).sum()) / 3)
    assert found.residual_sd == pytest.approx(s)
    y, sxx = 40.0, 4000.0
    expected = s / b * math.sqrt(1 / 5 + (y - np.mean(read)) ** 2 / (b**2 * sxx))
    assert line.uncertainty(y) == pytest.approx(expected)


def test_weights_believe_the_certain_ones() -> None:
    given = [Standard(10, 10, 0.1), Standard(50, 50, 0.1), Standard(90, 93, 10.0)]
    plain = fit(given, "regression", LABEL).correction
    weighted = fit(given, "regression", LABEL, weighted=True).correction
    assert abs(weighted.value(10) - 10) < abs(plain.value(10) - 10)
    assert weighted.slope == pytest.approx(1.0, abs=1e-3)
    known, read, sigma = map(np.array, zip(*((s.known, s.reading, s.sigma) for s in given), strict=True))
    b, a = np.polyfit(known, read, 1, w=1 / sigma)
    assert (weighted.slope, weighted.intercept) == (pytest.approx(1 / b), pytest.approx(-a / b))


@pytest.mark.parametrize(
    ("method", "pairs", "says"),
    [
        ("offset", [], "wrong number of standards for offset; expected at least 1"),
        ("two-point", [(10, 10), (10, 11)], "expected exactly 2 different known values; got 1"),
        ("two-point", [(10, 10), (50, 50), (90, 90)], "expected exactly 2 different known values; got 3"),
        ("regression", [(10, 10), (90, 90), (90, 91)], "expected at least 3 different known values; got 2"),
        ("regression", [(10, 10), (11, 11), (12, 12)], "too near to each other"),
        ("two-point", [(10, 10), (29, 29)], "expected at least 20 mg/L"),
        ("two-point", [(10, 10), (90, 200)], "expected a correcting slope of 0.5 to 2; got 0.42"),
        ("two-point", [(10, 10), (90, 45)], "hardly follow the standards"),
        ("two-point", [(10, 90), (90, 10)], "do not rise with the known values"),
        ("two-point", [(10, 10), (90, 10)], "do not rise with the known values"),
        ("regression", [(10, 10), (50, 59), (90, 90)], "too far from the line; expected at most 5 mg/L"),
        ("offset", [(10, 36)], "offset is too large; expected at most 25 mg/L; got -26"),
        ("offset", [(101, 100)], "outside the calibrated range"),
        ("offset", [(math.nan, 1)], "finite"),
        ("offset", [(1, math.inf)], "finite"),
    ],
)
def test_what_is_no_recalibration(method: Method, pairs: list[tuple[float, float]], says: str) -> None:
    with pytest.raises(InputError) as caught:
        fit(standards(*pairs), method, LABEL)
    assert says in caught.value.line()


def test_slopes_at_the_limits_hold() -> None:
    assert fit(standards((0, 0), (40, 20)), "two-point", LABEL).correction.slope == 2.0
    assert fit(standards((0, 0), (40, 80)), "two-point", LABEL).correction.slope == 0.5


def test_the_lab_may_narrow_the_residuals() -> None:
    given = standards((10, 10), (50, 51), (90, 90))
    assert fit(given, "regression", LABEL).largest_residual == pytest.approx(2 / 3, rel=1e-3)
    with pytest.raises(InputError, match=r"expected at most 0\.5000 mg/L"):
        fit(given, "regression", LABEL, max_residual=0.5)


def test_without_sigma_there_are_no_weights() -> None:
    with pytest.raises(InputError, match="cannot be weighted"):
        fit(standards((10, 10), sigma=0.0), "offset", LABEL, weighted=True)


lines = st.builds(
    Correction,
    slope=st.floats(0.5, 2),
    intercept=st.floats(-50, 50),
    slope_se=st.floats(0, 0.1),
    intercept_se=st.floats(0, 5),
    centre=st.floats(0, 100),
    centre_se=st.floats(0, 2),
)


@given(lines, st.floats(-10, 110), st.floats(0.1, 5))
def test_a_correction_can_be_taken_back(line: Correction, reading: float, sigma: float) -> None:
    back = line.undone(line.value(reading), line.sigma(reading, sigma))
    assert back == (pytest.approx(reading, abs=1e-6), pytest.approx(sigma, rel=1e-3, abs=1e-3))


@given(lines, st.floats(-10, 110), st.floats(0, 5))
def test_a_correction_never_makes_a_reading_more_certain_than_its_slope_does(
    line: Correction, reading: float, sigma: float
) -> None:
    assert line.sigma(reading, sigma) >= line.slope * sigma


@given(
    st.sampled_from(METHODS[1:]),
    st.floats(0.6, 1.6),
    st.floats(-5, 5),
    st.floats(0.1, 1000),
    st.integers(0, 10_000),
)
def test_the_unit_does_not_matter(
    method: Method, slope: float, shift: float, factor: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    known = [20.0, 20.0, 80.0] if method == "two-point" else [20.0, 40.0, 60.0, 80.0]
    given_standards = [Standard(x, shift + slope * x + float(rng.normal(0, 0.3)), 0.3) for x in known]
    scaled = [Standard(*(factor * v for v in (one.known, one.reading, one.sigma))) for one in given_standards]
    other = LabelSpec(analyte="dye", unit="x", range=(0.0, 100.0 * factor))
    a, b = fit(given_standards, method, LABEL).correction, fit(scaled, method, other).correction
    assert b.slope == pytest.approx(a.slope, rel=1e-6)
    assert b.intercept == pytest.approx(factor * a.intercept, rel=1e-6, abs=1e-6 * factor)
    assert b.intercept_se == pytest.approx(factor * a.intercept_se, rel=1e-6)


@given(st.lists(st.tuples(*[st.floats(allow_nan=True) | st.floats(0, 100)] * 3), max_size=6), st.data())
def test_any_numbers_give_a_sound_correction_or_are_refused(rows: list[Any], data: st.DataObject) -> None:
    method = data.draw(st.sampled_from(METHODS))
    try:
        found = fit([Standard(*row) for row in rows], method, LABEL, weighted=data.draw(st.booleans()))
    except InputError:
        return
    assert 0.5 <= found.correction.slope <= 2
    assert math.isfinite(found.correction.intercept)
    assert found.correction.sigma(50.0, 1.0) >= found.correction.slope
