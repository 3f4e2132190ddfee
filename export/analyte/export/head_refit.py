"""Refitting the float head to what the quantized trunk gives.

Quantization moves features systematically: a scale and an offset per feature, which the head then turns into
a bias of the value. Both are estimated on calibration pictures and undone before the head, at the cost of one
multiplication and addition per feature.
"""

from __future__ import annotations

import numpy as np

from analyte.contract.arrays import Float32Array
from analyte.export.trained_model import FeatureCorrection

_RIDGE = 1e-3
"""Pulls each gain towards 1, relative to the mean variance: a feature that hardly varies keeps its gain."""


def refit(quantized: Float32Array, exact: Float32Array) -> FeatureCorrection:
    """Find the gain and offset that bring quantized features to the exact ones, both ``[N, F]``.

    Per feature, least squares of ``gain * q + offset - f`` with a ridge penalty on ``gain - 1``.
    """
    q, f = quantized.astype(np.float64), exact.astype(np.float64)
    q_mean, f_mean = q.mean(axis=0), f.mean(axis=0)
    variance = ((q - q_mean) ** 2).mean(axis=0)
    covariance = ((q - q_mean) * (f - f_mean)).mean(axis=0)
    # Relative to the mean variance over features, so that dead features (variance 0) get gain 1.
    penalty = _RIDGE * max(float(variance.mean()), 1e-12)
    gain = (covariance + penalty) / (variance + penalty)
    offset = f_mean - gain * q_mean
    return FeatureCorrection(gain.astype(np.float32), offset.astype(np.float32))
