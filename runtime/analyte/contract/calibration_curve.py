"""Fitting the calibration curve that stands beside every network: ridge regression on mean colours.

Ridge regression: Hoerl and Kennard, "Ridge Regression: Biased Estimation for Nonorthogonal Problems" (1970).
Written out here because a few lines of linear algebra are all that it takes, and training and export both
fit one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from analyte.contract.arrays import Float64Array, UInt8Array
from analyte.contract.baseline import Baseline, colour_features

_PENALTIES = tuple(10.0**power for power in range(-4, 5))
_FOLDS = 5
_DISAGREEMENT_HEADROOM = 1.5
"""Times the largest disagreement of network and curve on samples left out: sessions to come are others."""

_Mask = npt.NDArray[np.bool_]


def fit_baseline(images: UInt8Array, values: Float64Array, groups: Sequence[str]) -> Baseline:
    """Fit ridge regression on mean colours; the penalty is chosen by cross-validation over groups.

    ``images``: uint8 ``[N, V, S, S, 3]``, RGB. ``values``: ``[N]``, label's unit. ``groups``: names ``[N]``.
    """
    features = colour_features(images)
    mean = features.mean(axis=0)
    scale = features.std(axis=0)
    scale[scale < 1e-12] = 1.0
    standardized = (features - mean) / scale
    folds = list(_folds(groups))
    errors = [_mean_of_errors(standardized, values, folds, penalty) for penalty in _PENALTIES]
    penalty = _PENALTIES[int(np.argmin(errors))]
    weights, intercept = _ridge(standardized, values, penalty)
    return Baseline(
        mean=tuple(mean.tolist()),
        scale=tuple(scale.tolist()),
        weights=tuple(weights.tolist()),
        intercept=intercept,
        penalty=penalty,
    )


def disagreement_limit(value: Float64Array, by_curve: Float64Array) -> float:
    """Return how far network and curve may lie apart, label's unit, from what both say ``[N]`` of samples
    that neither was fitted to."""
    return _DISAGREEMENT_HEADROOM * float(np.max(np.abs(value - by_curve)))


def _ridge(features: Float64Array, values: Float64Array, penalty: float) -> tuple[Float64Array, float]:
    """Return the weights ``[F]`` and the intercept, which is not penalized."""
    centre, middle = features.mean(axis=0), float(values.mean())
    x = features - centre
    weights: Float64Array = np.linalg.solve(
        x.T @ x + penalty * np.eye(features.shape[1]), x.T @ (values - middle)
    )
    return weights, middle - float(centre @ weights)


def _mean_of_errors(
    features: Float64Array, values: Float64Array, folds: Sequence[_Mask], penalty: float
) -> float:
    """Return the mean over the folds of the mean absolute error on what a fit has not seen."""
    errors = []
    for held in folds:
        weights, intercept = _ridge(features[~held], values[~held], penalty)
        errors.append(np.mean(np.abs(features[held] @ weights + intercept - values[held])))
    return float(np.mean(errors))


def _folds(groups: Sequence[str]) -> Iterator[_Mask]:
    """Yield which samples each fold holds out: whole groups, the largest first to the emptiest fold.

    Where there is one group only, runs of samples, for want of better.
    """
    names, member, sizes = np.unique(list(groups), return_inverse=True, return_counts=True)
    if len(names) == 1:
        for run in np.array_split(np.arange(len(groups)), min(_FOLDS, len(groups))):
            yield np.isin(np.arange(len(groups)), run)
        return
    count = min(_FOLDS, len(sizes))
    fold_of = np.zeros(len(sizes), int)
    filled = np.zeros(count, int)
    for group in np.argsort(sizes, kind="stable")[::-1]:
        fold_of[group] = int(np.argmin(filled))
        filled[fold_of[group]] += sizes[group]
    for fold in range(count):
        yield fold_of[member] == fold
