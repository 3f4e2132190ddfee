"""Correcting readings by standards of known value: an offset, two points, or a regression.

The readings of the standards are regressed on their known values (ISO 11095; ICH Q2(R2)), and the line is
turned round. What the line itself is uncertain by is that of Eurachem/CITAC CG 4, Quantifying Uncertainty in
Analytical Measurement, 3rd ed. 2012, appendix E.4: with the readings' standard deviation ``s`` around the
line, its slope ``b``, the readings' mean ``ybar`` and the spread ``Sxx`` of the known values, at a reading y

    u(y) = s / b * sqrt(1 / n + (y - ybar)^2 / (b^2 * Sxx)).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from analyte.contract.errors import InputError
from analyte.contract.label import LabelSpec
from analyte.contract.numbers import number

Method = Literal["offset", "two-point", "regression"]
METHODS: tuple[Method, ...] = ("offset", "two-point", "regression")

SLOPES = (0.5, 2.0)
"""A line beyond these is no correction of an instrument but another one: something else is wrong."""
LARGEST_OFFSET = 0.25
"""Share of the range; a larger offset is refused for the same reason."""
LEAST_SPAN = 0.2
"""Share of the range that the known values must span where a slope is fitted."""
MAX_RESIDUAL = 0.05
"""Share of the range, where the profile says nothing."""


@dataclass(frozen=True, slots=True)
class Standard:
    """A standard and what the device read from it, before any recalibration."""

    known: float
    """Label's unit."""
    reading: float
    """Label's unit."""
    sigma: float
    """Standard deviation of the reading, label's unit, 0 or more."""


@dataclass(frozen=True, slots=True)
class Correction:
    """A line from what the network says to what is reported: ``intercept + slope * value``."""

    slope: float
    intercept: float
    """Label's unit."""
    slope_se: float
    """Standard error of ``slope``; 0 for an offset."""
    intercept_se: float
    """Standard error of ``intercept``, label's unit."""
    centre: float
    """Mean reading of the standards, label's unit: where the line is known best."""
    centre_se: float
    """Standard error of the line there, label's unit."""

    def value(self, reading: float) -> float:
        """Return the corrected value; label's unit, as ``reading`` is."""
        return self.intercept + self.slope * reading

    def sigma(self, reading: float, sigma: float) -> float:
        """Return the standard deviation of the corrected value: the reading's own, and the line's at it."""
        return math.hypot(self.slope * sigma, self.uncertainty(reading))

    def uncertainty(self, reading: float) -> float:
        """Return the standard error of the line at ``reading``, label's unit."""
        return math.hypot(self.centre_se, self.slope_se * (reading - self.centre))

    def undone(self, value: float, sigma: float) -> tuple[float, float]:
        """Return the reading and its sigma from which ``value`` and ``sigma`` were made."""
        reading = (value - self.intercept) / self.slope
        left = sigma**2 - self.uncertainty(reading) ** 2
        return reading, math.sqrt(max(0.0, left)) / self.slope


@dataclass(frozen=True, slots=True)
class Fit:
    """A correction and the standards that it was fitted to."""

    method: Method
    weighted: bool
    correction: Correction
    residual_sd: float | None
    """Standard deviation of the readings around the line, label's unit; None where no standard is left over,
    and the readings' own sigma stands for it."""
    largest_residual: float
    """Of the corrected standards, label's unit."""
    standards: tuple[Standard, ...]


def fit(
    standards: Sequence[Standard],
    method: Method,
    label: LabelSpec,
    *,
    max_residual: float | None = None,
    weighted: bool = False,
) -> Fit:
    """Fit a correction.

    ``weighted``: each standard counts by 1 / sigma^2 of its reading. ``max_residual``: largest distance of a
    corrected standard from its known value, label's unit; None: a twentieth of the range.
    Raises: InputError for too few standards or too near to each other, outside the range, or a correction
    that is none (slope, offset, residual).
    """
    _refuse_standards(standards, method, label, weighted=weighted)
    known = np.array([one.known for one in standards])
    read = np.array([one.reading for one in standards])
    # In proportion to the most certain one: a tiny sigma must not overflow.
    best = min(one.sigma for one in standards)
    weight = np.array([(best / one.sigma) ** 2 if weighted else 1.0 for one in standards])
    weight *= len(standards) / weight.sum()
    total = float(len(standards))
    x, y = float((weight * known).sum() / total), float((weight * read).sum() / total)
    sxx = float((weight * (known - x) ** 2).sum())
    slope = 1.0 if method == "offset" else float((weight * (known - x) * (read - y)).sum() / sxx)
    _refuse_slope(slope)
    residuals = read - (y + slope * (known - x))
    free = len(standards) - (1 if method == "offset" else 2)
    sd = math.sqrt(float((weight * residuals**2).sum()) / free) if free > 0 else None
    # With nothing left over the line fits whatever was read: the readings' own sigma has to stand for it.
    scatter = sd if sd is not None else math.sqrt(float(np.mean([one.sigma**2 for one in standards])))
    centre_se = scatter / math.sqrt(total) / slope
    slope_se = 0.0 if method == "offset" else scatter / math.sqrt(sxx) / slope**2
    correction = Correction(
        slope=1.0 / slope,
        intercept=x - y / slope,
        slope_se=slope_se,
        intercept_se=math.hypot(centre_se, slope_se * y),
        centre=y,
        centre_se=centre_se,
    )
    largest = float(np.abs(residuals).max()) / slope
    _refuse_correction(correction, method, largest, label, max_residual)
    return Fit(method, weighted, correction, sd, largest, tuple(standards))


def _refuse_standards(
    standards: Sequence[Standard], method: Method, label: LabelSpec, *, weighted: bool
) -> None:
    for one in standards:
        if not all(map(math.isfinite, (one.known, one.reading, one.sigma))) or one.sigma < 0:
            raise InputError("a standard needs finite numbers and a sigma of 0 or more", got=one)
        if not (abs(one.reading - label.low) <= 2 * label.span and one.sigma <= label.span):
            raise InputError(
                "the reading of a standard has nothing to do with the range",
                expected=f"{label.low:g} to {label.high:g} {label.unit}, or somewhat outside",
                got=f"{one.reading:g}, sigma {one.sigma:g}",
            )
        if not label.low <= one.known <= label.high:
            raise InputError(
                "a standard lies outside the calibrated range",
                expected=f"{label.low:g} to {label.high:g} {label.unit}",
                got=f"{one.known:g}",
            )
        if weighted and one.sigma == 0:
            raise InputError("a standard without sigma cannot be weighted", fix="Leave --weighted out")
    levels = sorted({one.known for one in standards})
    least = {"offset": 1, "two-point": 2, "regression": 3}[method]
    if len(levels) < least or (method == "two-point" and len(levels) > 2):
        exactly = "exactly" if method == "two-point" else "at least"
        raise InputError(
            f"the wrong number of standards for {method}",
            expected=f"{exactly} {least} different known value{'s' if least > 1 else ''}",
            got=len(levels),
        )
    if method != "offset" and levels[-1] - levels[0] < LEAST_SPAN * label.span:
        raise InputError(
            "the standards lie too near to each other to tell a slope",
            expected=f"at least {LEAST_SPAN * label.span:g} {label.unit} between lowest and highest",
            got=f"{levels[-1] - levels[0]:g}",
            fix="Take standards near both ends of the range, or --method offset",
        )


def _refuse_slope(slope: float) -> None:
    """``slope``: of the readings on the known values."""
    # Written so that a NaN is refused.
    if not (slope > 0 and SLOPES[0] <= 1.0 / slope <= SLOPES[1]):
        raise InputError(
            "that is no recalibration: the readings hardly follow the standards",
            expected=f"a correcting slope of {SLOPES[0]:g} to {SLOPES[1]:g}",
            got="readings that do not rise with the known values" if slope <= 0 else number(1.0 / slope),
            fix="Check the standards, the light and the region; else train anew",
        )


def _refuse_correction(
    correction: Correction, method: Method, largest: float, label: LabelSpec, max_residual: float | None
) -> None:
    limit = MAX_RESIDUAL * label.span if max_residual is None else max_residual
    if not largest <= limit:
        raise InputError(
            "a standard lies too far from the line",
            expected=f"at most {number(limit)} {label.unit}",
            got=number(largest),
            fix="Measure the standards again; a curve is no case for a recalibration",
        )
    if method == "offset" and not abs(correction.intercept) <= LARGEST_OFFSET * label.span:
        raise InputError(
            "that is no recalibration: the offset is too large",
            expected=f"at most {LARGEST_OFFSET * label.span:g} {label.unit}",
            got=number(correction.intercept),
            fix="Check the standard, the light and the region; else train anew",
        )
