"""Analytical figures of merit after ICH Q2(R2), "Validation of analytical procedures" (November 2023).

The procedure's response is the predicted value, so that a slope of 1 and an intercept of 0 are ideal.
Whatever the data cannot tell is None with the reason, never a number that only looks like one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analyte.contract.arrays import Float32Array, Float64Array

ICH_LEVELS = 5
"""Levels that ICH Q2(R2) recommends at least for linearity."""
_LEAST_LEVELS = 3
"""A straight line through two levels says nothing about linearity."""
_NO_SCATTER = 1e-9
"""Fraction of the span of true values below which scatter is the rounding of numbers, not noise."""
_LOD_FACTOR, _LOQ_FACTOR = 3.3, 10.0
_LIMITS = 1.96
"""Standard deviations on either side that hold 95 % of a normal distribution (Bland and Altman)."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of merit, or why there is none."""

    value: float | None
    reason: str | None = None
    """Why there is no value; None where there is one."""


@dataclass(frozen=True, slots=True)
class FiguresOfMerit:
    """What validation after ICH Q2(R2) asks for. In the label's unit, except ``slope`` and ``r2``."""

    n: int
    """Readings."""
    levels: int
    """Different true values."""
    enough_levels: bool
    """Whether there are the `ICH_LEVELS` levels that ICH recommends at least."""
    slope: Figure
    """Of the least-squares line of predicted on true values; no unit."""
    intercept: Figure
    """Of that line."""
    r2: Figure
    """Squared correlation of predicted and true values, 0 to 1."""
    residual_sd: Figure
    """Standard deviation of the predicted values about that line."""
    lod: Figure
    """Detection limit."""
    loq: Figure
    """Quantitation limit."""
    lod_bias: Figure
    """How far the line lies from the true value at the detection limit."""
    repeatability: Figure
    """Standard deviation of readings of one level within one session."""
    between_sessions: Figure
    """Standard deviation of what sessions add to it."""
    intermediate_precision: Figure
    """Standard deviation of readings of one level across sessions."""
    bias: Figure
    """Mean of predicted minus true values."""
    agreement_lower: Figure
    """Lower 95 % limit of agreement."""
    agreement_upper: Figure
    """Upper 95 % limit of agreement."""
    notes: tuple[str, ...]
    """What a reader must know before relying on the figures; complete sentences."""


@dataclass(frozen=True, slots=True)
class _Line:
    slope: float
    intercept: float
    r2: float
    residual_sd: float


def figures_of_merit(
    true: Float64Array, predicted: Float64Array | Float32Array, sessions: Sequence[str]
) -> FiguresOfMerit:
    """Work out the figures of merit of readings ``predicted`` of known values ``true``.

    ``true``, ``predicted``: finite, ``[N]``, in the label's unit. ``sessions``: ``[N]``, the day, operator or
    instrument of each reading. Formulas stand at `calibration_line`, `detection_limits`, `precision` and
    `limits_of_agreement`. Raises: ValueError for arrays that are empty, unequal or not finite.
    """
    true, predicted = np.asarray(true, np.float64), np.asarray(predicted, np.float64)
    if not true.shape == predicted.shape == (len(sessions),) or true.size == 0:
        raise ValueError(
            f"expected equal, non-empty [N], got {true.shape} {predicted.shape} ({len(sessions)},)"
        )
    if not np.isfinite(true).all() or not np.isfinite(predicted).all():
        raise ValueError("expected finite values")
    levels = len(np.unique(true))
    slope, intercept, r2, residual_sd = calibration_line(true, predicted)
    lod, loq = detection_limits(true, slope, residual_sd)
    repeatability, between, intermediate = precision(true, predicted, sessions)
    bias, lower, upper = limits_of_agreement(true, predicted)
    return FiguresOfMerit(
        n=true.size,
        levels=levels,
        enough_levels=levels >= ICH_LEVELS,
        slope=slope,
        intercept=intercept,
        r2=r2,
        residual_sd=residual_sd,
        lod=lod,
        loq=loq,
        lod_bias=bias_at(lod, slope, intercept),
        repeatability=repeatability,
        between_sessions=between,
        intermediate_precision=intermediate,
        bias=bias,
        agreement_lower=lower,
        agreement_upper=upper,
        notes=(
            *_notes(levels, float(true.min()), lod, loq),
            *_bias_note(bias_at(lod, slope, intercept), residual_sd),
        ),
    )


def _notes(levels: int, lowest: float, lod: Figure, loq: Figure) -> tuple[str, ...]:
    notes: list[str] = []
    if levels < ICH_LEVELS:
        notes.append(f"Levels measured: {levels}; ICH Q2(R2) recommends at least {ICH_LEVELS}.")
    limits = {"detection": lod.value, "quantitation": loq.value}
    below = [name for name, value in limits.items() if value is not None and value < lowest]
    if below:
        notes.append(
            f"Below the lowest level, {lowest:g}, where nothing was measured: the {' and the '.join(below)} "
            "limit. ICH Q2(R2) asks to confirm a limit with samples of about that concentration. On a scale "
            "whose zero is not the absence of the analyte (pH, angles, steps) it means nothing."
        )
    return tuple(notes)


def calibration_line(true: Float64Array, predicted: Float64Array) -> tuple[Figure, Figure, Figure, Figure]:
    """Return slope, intercept, R2 and residual standard deviation of predicted on true values, each ``[N]``.

    Ordinary least squares, with means x_ and y_: b = Sxy / Sxx, a = y_ - b x_, R2 = Sxy^2 / (Sxx Syy),
    s = sqrt((Syy - b Sxy) / (n - 2)). ICH Q2(R2), "Linear response", asks for slope, intercept, coefficient
    of determination and an analysis of the residuals; formulas: Miller, Miller, "Statistics and Chemometrics
    for Analytical Chemistry", 6th edition, sections 5.3 to 5.5.
    """
    levels = len(np.unique(true))
    if levels < _LEAST_LEVELS:
        reason = f"{levels} different true values; a line needs at least {_LEAST_LEVELS}"
    elif np.ptp(predicted) <= _NO_SCATTER * np.ptp(true):
        reason = "all predictions are equal"
    else:
        x, y = true - true.mean(), predicted - predicted.mean()
        sxx, sxy, syy = float(x @ x), float(x @ y), float(y @ y)
        slope = sxy / sxx
        # From the residuals themselves: Syy - b Sxy would lose all digits of a good fit.
        residual = y - slope * x
        return (
            Figure(slope),
            Figure(float(predicted.mean() - slope * true.mean())),
            Figure(min(1.0, sxy**2 / (sxx * syy))),
            Figure(math.sqrt(float(residual @ residual) / (true.size - 2))),
        )
    none = Figure(None, reason)
    return none, none, none, none


def detection_limits(true: Float64Array, slope: Figure, residual_sd: Figure) -> tuple[Figure, Figure]:
    """Return the detection limit 3.3 s / S and the quantitation limit 10 s / S.

    ICH Q2(R2), validation of lower range limits, "Based on the standard deviation of a linear response and a
    slope": of its options for s this takes the residual standard deviation of the regression line over all
    levels; S is the slope of that line. Where noise grows with the value, that is more than the scatter
    near the limit, and the limits err on the safe side.
    """
    if slope.value is None or residual_sd.value is None:
        reason = slope.reason or residual_sd.reason
    elif slope.value <= 0:
        reason = f"the predictions do not rise with the true value (slope {slope.value:.3g})"
    elif true.min() < 0:
        reason = "the scale goes below zero, so zero is not the absence of the analyte"
    elif residual_sd.value <= _NO_SCATTER * np.ptp(true):
        reason = "the predictions do not scatter about the line"
    else:
        lod, loq = (factor * residual_sd.value / slope.value for factor in (_LOD_FACTOR, _LOQ_FACTOR))
        return _within_levels(lod, true), _within_levels(loq, true)
    none = Figure(None, reason)
    return none, none


def bias_at(limit: Figure, slope: Figure, intercept: Figure) -> Figure:
    """Return by how much the line of predicted on true values is off at a limit: a + (S - 1) x.

    ICH Q2(R2) asks for accuracy over the whole reportable range, its lower limit included; 3.3 s / S is
    scatter alone, and as small for a procedure that reads twice the value.
    """
    if limit.value is None or slope.value is None or intercept.value is None:
        return Figure(None, "there is no limit to state it at")
    return Figure(intercept.value + (slope.value - 1.0) * limit.value)


def _bias_note(bias: Figure, residual_sd: Figure) -> tuple[str, ...]:
    if bias.value is None or residual_sd.value is None or abs(bias.value) <= residual_sd.value:
        return ()
    return (
        f"Biased at the detection limit by {bias.value:+.4g}, more than the scatter, "
        f"{residual_sd.value:.4g}: LOD and LOQ are of scatter alone and do not hold for values as "
        "they are reported.",
    )


def _within_levels(limit: float, true: Float64Array) -> Figure:
    if limit > true.max():
        return Figure(None, f"{limit:.4g} would lie above the highest level, {true.max():g}")
    return Figure(limit)


def precision(
    true: Float64Array, predicted: Float64Array, sessions: Sequence[str]
) -> tuple[Figure, Figure, Figure]:
    """Return repeatability, the part of sessions, and intermediate precision, as standard deviations.

    One-way analysis of variance with sessions as random groups, within each level, sums pooled over levels
    (so that an error of a whole level does not count as scatter). With N_l readings of level l, n_ls of them
    in session s, a_l sessions, means y_ls and y_l:

        SSW = sum (y - y_ls)^2,         s_r^2 = SSW / sum_l (N_l - a_l)
        SSB = sum n_ls (y_ls - y_l)^2,  s_L^2 = (SSB - s_r^2 sum_l (a_l - 1)) / w
        w = sum_l (N_l - sum_s n_ls^2 / N_l)

    s_L^2 below 0 counts as 0, intermediate precision is sqrt(s_r^2 + s_L^2). ICH Q2(R2), "Repeatability" and
    "Intermediate precision"; the variances: ISO 5725-2, with sessions in the place of laboratories;
    unbalanced data: Searle, Casella, McCulloch, "Variance Components", 1992, chapter 3.
    """
    within = between = 0.0
    within_freedom = between_freedom = 0
    weight = 0.0
    names = np.asarray(sessions, np.str_)
    for level in np.unique(true):
        values, own = predicted[true == level], names[true == level]
        _, index = np.unique(own, return_inverse=True)
        counts = np.bincount(index)
        means = np.bincount(index, values) / counts
        within += float(np.sum((values - means[index]) ** 2))
        between += float(np.sum(counts * (means - values.mean()) ** 2))
        within_freedom += values.size - counts.size
        between_freedom += counts.size - 1
        weight += values.size - float(np.sum(counts**2)) / values.size
    if within_freedom == 0:
        none = Figure(None, "no level was measured twice within one session")
        return none, none, none
    variance = within / within_freedom
    repeatability = Figure(math.sqrt(variance))
    if between_freedom == 0:
        none = Figure(None, "no level was measured in two sessions")
        return repeatability, none, none
    extra = max(0.0, (between - variance * between_freedom) / weight)
    return repeatability, Figure(math.sqrt(extra)), Figure(math.sqrt(variance + extra))


def limits_of_agreement(true: Float64Array, predicted: Float64Array) -> tuple[Figure, Figure, Figure]:
    """Return the mean difference d_ (predicted minus true) and the limits d_ -+ 1.96 s_d, s_d with n - 1.

    Bland, Altman, "Statistical methods for assessing agreement between two methods of clinical measurement",
    Lancet 1986, i, 307-310: about 95 % of differences lie between the limits where they are near normal.
    """
    difference = predicted - true
    bias = float(difference.mean())
    if difference.size < _LEAST_LEVELS:
        none = Figure(None, f"{difference.size} readings; at least {_LEAST_LEVELS} are needed")
        return Figure(bias), none, none
    reach = _LIMITS * float(difference.std(ddof=1))
    return Figure(bias), Figure(bias - reach), Figure(bias + reach)
