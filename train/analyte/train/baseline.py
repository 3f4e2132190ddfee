"""Fitting the calibration curve that stands beside every network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold

from analyte.contract.arrays import Float64Array, UInt8Array
from analyte.contract.baseline import Baseline, colour_features

_PENALTIES = tuple(10.0**power for power in range(-4, 5))
_FOLDS = 5


def fit_baseline(images: UInt8Array, values: Float64Array, groups: Sequence[str]) -> Baseline:
    """Fit ridge regression on mean colours; the penalty is chosen by cross-validation over groups.

    ``images``: uint8 ``[N, V, S, S, 3]``, RGB. ``values``: ``[N]``, label's unit. ``groups``: names ``[N]``.
    """
    features = colour_features(images)
    mean = features.mean(axis=0)
    scale = features.std(axis=0)
    scale[scale < 1e-12] = 1.0
    standardized = (features - mean) / scale
    folds = min(_FOLDS, len(set(groups)))
    if folds >= 2:
        splitter = GroupKFold(folds).split(standardized, values, groups)
    else:
        splitter = KFold(min(_FOLDS, len(values))).split(standardized)
    search = GridSearchCV(
        Ridge(), {"alpha": _PENALTIES}, scoring="neg_mean_absolute_error", cv=list(splitter), refit=True
    )
    search.fit(standardized, values)
    ridge: Ridge = search.best_estimator_
    return Baseline(
        mean=tuple(mean.tolist()),
        scale=tuple(scale.tolist()),
        weights=tuple(np.asarray(ridge.coef_, np.float64).tolist()),
        intercept=float(ridge.intercept_),
        penalty=float(search.best_params_["alpha"]),
    )
