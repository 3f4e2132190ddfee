"""The interval around a value: split conformal prediction, scaled by sigma."""

from __future__ import annotations

import math

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from analyte.contract.arrays import Float64Array
from analyte.contract.label import Finite


class IntervalCalibration(BaseModel):
    """How far an interval reaches: ``value +- quantile * sigma``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    coverage: float = Field(gt=0, lt=1)
    """Share of true values that the interval is to contain."""
    quantile: Finite = Field(ge=0)
    """Half-width in units of sigma."""
    n: int = Field(gt=0)
    """Residuals that it was calibrated on."""


def calibrate_interval(
    true: Float64Array, predicted: Float64Array, sigma: Float64Array, *, coverage: float
) -> IntervalCalibration:
    """Calibrate on data that the model was not fitted to; all arrays ``[N]`` in the label's unit.

    The quantile is the ceil((n + 1) * coverage)-th smallest of |true - predicted| / sigma (Lei, G'Sell,
    Rinaldo, Tibshirani, Wasserman, "Distribution-Free Predictive Inference for Regression", 2018, section
    2.2 with the scaling of section 5.2). With fewer than ceil(coverage / (1 - coverage)) residuals that rank
    does not exist; the largest one is used, and the coverage that is stated is n / (n + 1).
    """
    if not true.shape == predicted.shape == sigma.shape == (true.size,) or true.size == 0:
        raise ValueError(
            f"expected equal, non-empty [N] arrays, got {true.shape} {predicted.shape} {sigma.shape}"
        )
    if not (np.isfinite(true - predicted).all() and np.isfinite(sigma).all() and (sigma > 0).all()):
        raise ValueError("expected finite residuals and finite sigma > 0")
    if not 0 < coverage < 1:
        raise ValueError(f"expected a coverage between 0 and 1, got {coverage}")
    scores = np.sort(np.abs(true - predicted) / sigma)
    rank = min(scores.size, math.ceil((scores.size + 1) * coverage))
    return IntervalCalibration(
        coverage=min(coverage, scores.size / (scores.size + 1)),
        quantile=float(scores[rank - 1]),
        n=scores.size,
    )
