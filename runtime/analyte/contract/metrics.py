"""Errors of a regressor, in the label's unit, computed the same way everywhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np

from analyte.contract.arrays import Float32Array, Float64Array

_CHUNK = 1_000_000
"""Numbers that a bootstrap holds at a time."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """Errors over n values. ``mae``, ``rmse``, ``bias`` and ``max_error`` are in the label's unit."""

    n: int
    mae: float
    """Mean absolute error."""
    rmse: float
    """Root mean squared error."""
    bias: float
    """Mean of predicted minus true."""
    max_error: float
    """Largest absolute error."""
    r2: float | None
    """Coefficient of determination; None where all true values are equal."""
    rounded_accuracy: float | None
    """Share of values that round to the true one; None where the true values are no whole numbers."""
    mape: float | None
    """Mean absolute percentage error, percent of the true value; None where a true value is 0."""


@dataclass(frozen=True, slots=True)
class MaeComparison:
    """How far the mean absolute errors of two predictors lie apart, in the label's unit."""

    difference: float
    """MAE of the first minus MAE of the second: negative where the first is better."""
    lower: float | None
    """Lower end of the confidence interval; None where there are too few groups for one."""
    upper: float | None
    """Upper end of the confidence interval; None where there are too few groups for one."""
    confidence: float
    """Confidence level of the interval, 0 to 1."""
    groups: int
    """Independent groups that the values come from."""
    better_in: int
    """Groups in which the first has the smaller MAE."""
    least_groups: int
    """Fewer groups than this give no interval at this confidence."""

    @property
    def verdict(self) -> Literal["better", "worse", "undecided"]:
        """Whether the first predictor is better or worse than the second with the stated confidence."""
        if self.upper is not None and self.upper < 0:
            return "better"
        if self.lower is not None and self.lower > 0:
            return "worse"
        return "undecided"


def regression_metrics(true: Float64Array, predicted: Float64Array | Float32Array) -> Metrics:
    """Compare predictions with true values, both ``[N]`` in the label's unit.

    R2 = 1 - SS_res / SS_tot about the mean of the true values. MAPE = 100 mean(|predicted - true| / |true|).
    """
    true = np.asarray(true, np.float64)
    if true.ndim != 1 or true.shape != predicted.shape or true.size == 0:
        raise ValueError(f"expected two equal, non-empty [N] arrays, got {true.shape} and {predicted.shape}")
    error = np.asarray(predicted, np.float64) - true
    total = float(np.sum((true - true.mean()) ** 2))
    whole = bool(np.all(true == np.rint(true)))
    return Metrics(
        n=true.size,
        mae=float(np.mean(np.abs(error))),
        rmse=math.sqrt(float(np.mean(error**2))),
        bias=float(np.mean(error)),
        max_error=float(np.max(np.abs(error))),
        r2=1.0 - float(np.sum(error**2)) / total if np.ptp(true) > 0 and total > 0 else None,
        # Half-way values round up: np.rint would send 2.5 to 2 and 3.5 to 4.
        rounded_accuracy=float(np.mean(np.floor(true + error + 0.5) == true)) if whole else None,
        mape=_mape(true, error),
    )


def _mape(true: Float64Array, error: Float64Array) -> float | None:
    # Next to zero the ratio overflows: that is no percentage either.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        percent = 100.0 * float(np.mean(np.abs(error) / np.abs(true)))
    return percent if np.all(true != 0) and math.isfinite(percent) else None


def metrics_by(
    true: Float64Array, predicted: Float64Array | Float32Array, keys: Sequence[str]
) -> dict[str, Metrics]:
    """Return the errors of the values that share a key (a level, a session), keys in order of appearance.

    ``true`` and ``predicted``: ``[N]`` in the label's unit. ``keys``: ``[N]``.
    """
    if len(keys) != len(true):
        raise ValueError(f"expected a key for each of {len(true)} values, got {len(keys)}")
    members: dict[str, list[int]] = {}
    for index, key in enumerate(keys):
        members.setdefault(key, []).append(index)
    return {key: regression_metrics(true[index], predicted[index]) for key, index in members.items()}


def compare_mae(
    true: Float64Array,
    first: Float64Array | Float32Array,
    second: Float64Array | Float32Array,
    groups: Sequence[str],
    *,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> MaeComparison:
    """Compare the mean absolute errors of two predictors on the same samples by a bootstrap over groups.

    ``true``, ``first``, ``second``: ``[N]`` in the label's unit. ``groups``: ``[N]``, what is independent of
    each other (specimens, series): errors within one are alike, so whole groups are drawn with replacement
    (Davison, Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8; Field, Welsh,
    "Bootstrapping clustered data", 2007), the same ones for both predictors.

    The interval is the expanded percentile interval (Hesterberg, "What Teachers Should Know About the
    Bootstrap", 2015), whose tails are Phi(-t sqrt(K / (K - 1))) with t the quantile of Student's t for K - 1
    degrees of freedom: the plain one is too short for few groups. Below the least K with
    2^(1 - K) <= 1 - confidence there is none: by chance alone all K differences have the same sign more
    often than that (the sign test; 6 groups at 95 %).
    """
    if not len(true) == len(first) == len(second) == len(groups) or len(true) == 0:
        raise ValueError(
            f"expected equal, non-empty [N], got {list(map(len, (true, first, second, groups)))}"
        )
    gain = np.abs(np.asarray(first, np.float64) - true) - np.abs(np.asarray(second, np.float64) - true)
    _, group = np.unique(np.asarray(groups, np.str_), return_inverse=True)
    sums, counts = (np.bincount(group, weights).astype(np.float64) for weights in (gain, None))
    return _compare(sums, counts, confidence, resamples, seed)


def compare_group_mae(
    first: Sequence[float],
    second: Sequence[float],
    counts: Sequence[int],
    *,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> MaeComparison:
    """Compare two predictors as `compare_mae` does, from their MAE in each group or fold.

    ``first``, ``second``: ``[K]`` in the label's unit. ``counts``: samples in each group, ``[K]``.
    """
    if not len(first) == len(second) == len(counts) or len(counts) == 0:
        raise ValueError(f"expected equal, non-empty [K], got {list(map(len, (first, second, counts)))}")
    sizes = np.asarray(counts, np.float64)
    sums = sizes * (np.asarray(first, np.float64) - np.asarray(second, np.float64))
    return _compare(sums, sizes, confidence, resamples, seed)


def _compare(
    sums: Float64Array, counts: Float64Array, confidence: float, resamples: int, seed: int
) -> MaeComparison:
    """Compare by the sums of |error of first| - |error of second| and the number of samples of each group."""
    if not 0 < confidence < 1:
        raise ValueError(f"expected a confidence between 0 and 1, got {confidence}")
    least = math.ceil(1 + math.log2(1 / (1 - confidence)) - 1e-9)
    lower = upper = None
    if counts.size >= least:
        drawn = _resampled_means(sums, counts, resamples, seed)
        tail = _expanded_tail(confidence, counts.size)
        lower, upper = (float(x) for x in np.quantile(drawn, (tail, 1 - tail)))
    return MaeComparison(
        difference=float(sums.sum() / counts.sum()),
        lower=lower,
        upper=upper,
        confidence=confidence,
        groups=counts.size,
        better_in=int(np.sum(sums < 0)),
        least_groups=least,
    )


def _resampled_means(sums: Float64Array, counts: Float64Array, resamples: int, seed: int) -> Float64Array:
    """Return means ``[resamples]`` over groups drawn with replacement; ``sums``, ``counts``: by group."""
    rng = np.random.default_rng(seed)
    share = np.full(counts.size, 1.0 / counts.size)
    step = max(1, _CHUNK // counts.size)
    parts: list[Float64Array] = []
    for start in range(0, resamples, step):
        times = rng.multinomial(counts.size, share, size=min(step, resamples - start))
        parts.append((times @ sums) / (times @ counts))
    return np.concatenate(parts)


def _expanded_tail(confidence: float, groups: int) -> float:
    """Return the share of resamples beyond each end of the interval, see `compare_mae`."""
    freedom = groups - 1
    normal = NormalDist()
    z = normal.inv_cdf((1 + confidence) / 2)
    # The quantile of Student's t by its expansion in 1 / freedom (Abramowitz, Stegun, 26.7.5): right to 1e-3
    # for the five degrees of freedom that are the least here.
    t = (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
        + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * freedom**4)
    )
    return normal.cdf(-t * math.sqrt(groups / freedom))
