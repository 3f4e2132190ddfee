"""How far an engine's values lie from reference values: one computation for self-test and parity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analyte.contract.arrays import Float32Array, Float64Array, UInt8Array
from analyte.contract.manifest import Precision
from analyte.runtime.engines.protocol import Engine, Prediction

SIGMA_TOLERANCE: dict[Precision, float] = {
    "float32": 0.01,
    "float16": 0.02,
    "dynamic": 0.2,
    "int8": 0.2,
    "int8-strict": 0.2,
    "int16x8": 0.2,
}
"""Largest departure of the median ratio of sigmas from 1. An interval that is a fifth too narrow loses a few
percent of its coverage; floats have no excuse for more than rounding."""
GATED_BY_MAXIMUM: frozenset[Precision] = frozenset({"float32", "float16"})
"""Integer kernels differ between processors, and one rounding more or less in a rare sample is no fault;
floats have no such excuse."""


@dataclass(frozen=True, slots=True)
class MeasuredDeviation:
    """|engine - reference| over n samples, in the label's unit. Not finite where a value was not finite."""

    batch: int
    """Samples per run; the last run may have had fewer."""
    n: int
    mean: float
    p99: float
    """99th percentile, linear between ranks."""
    max: float
    sigma_ratio: float = 1.0
    """Median of the engine's sigma over the reference's: what intervals are too wide or too narrow by; 1
    where no sigma was compared."""

    def gated(self, precision: Precision) -> float:
        """Return what a tolerance is compared with: floats' maximum, integers' 99th percentile."""
        return self.max if precision in GATED_BY_MAXIMUM else self.p99

    def passes(self, precision: Precision, tolerance: float) -> bool:
        """Whether values deviate by at most ``tolerance``, label's unit, and sigmas by at most their own."""
        return self.value_passes(precision, tolerance) and self.sigma_passes(precision)

    def value_passes(self, precision: Precision, tolerance: float) -> bool:
        """Whether the values are within ``tolerance``, label's unit; never when one is not finite."""
        return bool(self.gated(precision) <= tolerance) and bool(np.isfinite(self.max))

    def sigma_passes(self, precision: Precision) -> bool:
        """Whether the sigmas are within `SIGMA_TOLERANCE`; never when they are not finite."""
        return bool(abs(self.sigma_ratio - 1.0) <= SIGMA_TOLERANCE[precision])


def run_batched(
    engine: Engine, images: UInt8Array, batch: int, covariates: Float32Array | None = None
) -> Prediction:
    """Return what the engine says of uint8 ``[N, V, S, S, 3]``, ``batch`` at a time.

    ``covariates``: float32 ``[N, K]``; None where K is 0.
    """
    runs = [
        engine.run(
            images[start : start + batch], None if covariates is None else covariates[start : start + batch]
        )
        for start in range(0, len(images), batch)
    ]
    return Prediction(
        value=np.concatenate([run.value for run in runs]),
        sigma=np.concatenate([run.sigma for run in runs]),
        features=np.concatenate([run.features for run in runs]),
    )


def measure_deviation(
    engine: Engine,
    images: UInt8Array,
    reference: Float32Array | Float64Array,
    batch: int,
    *,
    sigma: Float32Array | None = None,
    covariates: Float32Array | None = None,
) -> MeasuredDeviation:
    """Compare an engine with reference values, and with reference sigmas where they are given.

    ``images``: uint8 ``[N, V, S, S, 3]``, RGB, N >= 1. ``reference``, ``sigma``: ``[N]``, label's unit.
    ``covariates``: float32 ``[N, K]``; None where K is 0. ``batch``: samples per run, >= 1.
    Raises: as `Engine.run`; ValueError for arrays of unequal length.
    """
    if len(images) != len(reference) or len(images) == 0 or batch < 1:
        raise ValueError(f"{len(images)} images, {len(reference)} reference values, batch {batch}")
    return compare(run_batched(engine, images, batch, covariates), reference, batch, sigma=sigma)


def compare(
    prediction: Prediction,
    reference: Float32Array | Float64Array,
    batch: int,
    *,
    sigma: Float32Array | None = None,
) -> MeasuredDeviation:
    """Compare what an engine said, ``batch`` samples per run, with reference values and sigmas, ``[N]``."""
    # float64: the difference of two float32 values must not be rounded once more.
    deviation = np.abs(prediction.value.astype(np.float64) - np.asarray(reference, np.float64))
    ratio = 1.0 if sigma is None else _median(prediction.sigma.astype(np.float64) / sigma)
    return MeasuredDeviation(
        batch=batch,
        n=len(deviation),
        mean=float(deviation.mean()),
        p99=float(np.percentile(deviation, 99)),
        max=float(deviation.max()),
        sigma_ratio=ratio,
    )


def _median(values: Float64Array) -> float:
    """Return the median, NaN where there is one among the values.

    `numpy.median` loads numpy's masked arrays, which a daemon's start would wait for.
    """
    ordered = np.sort(values)
    # What is no number sorts last.
    if np.isnan(ordered[-1]):
        return float(ordered[-1])
    return float(ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2.0
