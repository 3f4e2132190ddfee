"""Batch normalization as what it is once it is trained: one factor and one offset per channel."""

from __future__ import annotations

import keras
import numpy as np

from analyte.contract.arrays import Float64Array


def batch_scale_and_offset(norm: keras.layers.BatchNormalization) -> tuple[Float64Array, Float64Array]:
    """Return factor and offset per channel, float64 ``[C]`` each.

    gamma * (x - mean) / sqrt(variance + epsilon) + beta (Ioffe and Szegedy, arXiv 1502.03167, algorithm 2).
    """
    gamma, beta, mean, variance = (
        None if variable is None else keras.ops.convert_to_numpy(variable).astype(np.float64)
        for variable in (norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance)
    )
    scale = (1.0 if gamma is None else gamma) / np.sqrt(variance + norm.epsilon)
    return scale, (0.0 if beta is None else beta) - mean * scale
