"""Errors of a regressor, in the label's unit, computed the same way everywhere."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from analyte.contract.arrays import Float32Array, Float64Array


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


def regression_metrics(true: Float64Array, predicted: Float64Array | Float32Array) -> Metrics:
    """Compare predictions with true values, both ``[N]`` in the label's unit.

    R2 = 1 - SS_res / SS_tot about the mean of the true values.
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
    )
