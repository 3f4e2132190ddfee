"""The interval around a value: split conformal prediction, scaled by sigma, calibrated by group."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from analyte.contract.arrays import Float64Array
from analyte.contract.label import Finite

COVERAGE = 0.95
"""Share of true values that an interval is calibrated to contain."""


class IntervalCalibration(BaseModel):
    """How far an interval reaches: ``value +- quantile * sigma``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    coverage: float = Field(gt=0, lt=1)
    """Share of true values that the interval is to contain."""
    quantile: Finite = Field(ge=0)
    """Half-width in units of sigma."""
    n: int = Field(gt=0)
    """Residuals that it was calibrated on."""
    groups: int | None = Field(default=None, gt=0)
    """Groups that they come from; None where each stands for itself."""

    @property
    def guaranteed(self) -> float:
        """Coverage that holds in a new group whatever the distribution of errors, 0 to 1.

        ``coverage * K / (K + 1)`` for K groups: one among K + 1 exchangeable groups may be unlike all others
        (Lee, Barber, Willett, "Distribution-free inference with hierarchical data", 2023, arXiv 2306.06342,
        whose quantile at this level is the one of the pooled groups, below which no interval here goes).
        """
        if self.groups in (None, self.n):
            return self.coverage
        return self.coverage * self.groups / (self.groups + 1)


def calibrate_interval(
    true: Float64Array,
    predicted: Float64Array,
    sigma: Float64Array,
    *,
    coverage: float,
    groups: Sequence[str] | None = None,
) -> IntervalCalibration:
    """Calibrate on data that the model was not fitted to; all arrays ``[N]`` in the label's unit.

    Without ``groups`` the quantile is the ceil((n + 1) * coverage)-th smallest of |true - predicted| / sigma
    (Lei, G'Sell, Rinaldo, Tibshirani, Wasserman, "Distribution-Free Predictive Inference for Regression",
    2018, section 2.2 with the scaling of section 5.2). With fewer than ceil(coverage / (1 - coverage))
    residuals that rank does not exist; the largest one is used, and the coverage that is stated is
    n / (n + 1).

    ``groups``: the session or specimen of each residual, ``[N]``. Errors within one are alike, so every group
    counts the same and the interval is widened until it would have held in groups that it was not calibrated
    on: see `quantile_for_new_groups` and docs/decisions/0010.
    Raises: ValueError for arrays that do not fit each other or are not finite.
    """
    if not true.shape == predicted.shape == sigma.shape == (true.size,) or true.size == 0:
        raise ValueError(
            f"expected equal, non-empty [N] arrays, got {true.shape} {predicted.shape} {sigma.shape}"
        )
    if not (np.isfinite(true - predicted).all() and np.isfinite(sigma).all() and (sigma > 0).all()):
        raise ValueError("expected finite residuals and finite sigma > 0")
    if not 0 < coverage < 1:
        raise ValueError(f"expected a coverage between 0 and 1, got {coverage}")
    if groups is not None and len(groups) != true.size:
        raise ValueError(f"expected a group for each of {true.size} residuals, got {len(groups)}")
    scores = np.abs(true - predicted) / sigma
    quantile = quantile_for_new_groups(scores, groups, coverage)
    return IntervalCalibration(
        coverage=min(coverage, scores.size / (scores.size + 1)),
        quantile=quantile,
        n=scores.size,
        groups=None if groups is None else len(set(groups)),
    )


def quantile_for_new_groups(scores: Float64Array, groups: Sequence[str] | None, level: float) -> float:
    """Return how large a score has to be to lie above a share ``level`` of those of groups to come.

    ``scores``: ``[N]``, 0 or more. ``groups``: name of the group of each, ``[N]``; None where each stands for
    itself. Then, and where all are one group or each its own, it is the ceil((N + 1) * level)-th smallest, or
    the largest where there is no such rank.
    """
    names, group = np.unique([""] * scores.size if groups is None else list(groups), return_inverse=True)
    if len(names) in (1, scores.size):
        rank = min(scores.size, math.ceil((scores.size + 1) * level))
        return float(np.sort(scores)[rank - 1])
    return _quantile_by_group(scores, group, level)


def _quantile_by_group(scores: Float64Array, group: np.ndarray, level: float) -> float:
    """Return the quantile of ``scores`` for a new group; ``group``: index of the group of each, both ``[N]``.

    The quantile of all groups pooled, each with the same weight (CDF pooling of Dunn, Wasserman, Ramdas,
    "Distribution-Free Prediction Sets for Two-Layer Hierarchical Models", 2023, arXiv 1809.07441), is right
    for many groups and too small for few. Each group in turn is therefore measured against the pooled
    quantile of the others; the factor that these need to contain their share of it, again with every group
    weighing the same, widens the result. It never narrows it.
    """
    weight = 1.0 / np.bincount(group)[group]
    relative = np.empty_like(scores)
    for index in range(int(group.max()) + 1):
        own = group == index
        others = _weighted_quantile(scores[~own], weight[~own], level)
        if others == 0:
            return float(scores.max())
        relative[own] = scores[own] / others
    factor = max(1.0, _weighted_quantile(relative, weight, level))
    return factor * _weighted_quantile(scores, weight, level)


def _weighted_quantile(values: Float64Array, weight: Float64Array, level: float) -> float:
    """Return the smallest value up to which the weights sum to ``level`` of the whole, and a little more.

    For n equal weights it is the ceil((n + 1) * level)-th smallest: the next value may be larger than all.
    """
    level = min(1.0, level * (len(values) + 1) / len(values))
    order = np.argsort(values, kind="stable")
    cumulative = np.cumsum(weight[order])
    # Weights are no binary fractions: a sum that is the level but for rounding has reached it.
    reached = int(np.searchsorted(cumulative, level * cumulative[-1] * (1.0 - 1e-12)))
    return float(values[order[min(reached, len(order) - 1)]])
