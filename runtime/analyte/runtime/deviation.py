"""How far an engine's values lie from reference values: one computation for self-test and parity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analyte.contract.arrays import Float32Array, Float64Array, UInt8Array
from analyte.contract.manifest import Precision
from analyte.runtime.engines.protocol import Engine


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

    def gated(self, precision: Precision) -> float:
        """Return what a tolerance is compared with: the maximum for float32, the 99th percentile for int8.

        Integer kernels differ between processors, and one rounding more or less in a rare sample is no fault;
        float32 has no such excuse.
        """
        return self.max if precision == "float32" else self.p99

    def passes(self, precision: Precision, tolerance: float) -> bool:
        """Whether the deviation is within ``tolerance``, in the label's unit; never when it is not finite."""
        return bool(self.gated(precision) <= tolerance) and bool(np.isfinite(self.max))


def run_batched(engine: Engine, images: UInt8Array, batch: int) -> Float32Array:
    """Return the engine's values, float32 ``[N]``, for uint8 ``[N, V, S, S, 3]``, ``batch`` at a time."""
    runs = [engine.run(images[start : start + batch]).value for start in range(0, len(images), batch)]
    return np.concatenate(runs)


def measure_deviation(
    engine: Engine, images: UInt8Array, reference: Float32Array | Float64Array, batch: int
) -> MeasuredDeviation:
    """Compare an engine with reference values.

    ``images``: uint8 ``[N, V, S, S, 3]``, RGB, N >= 1. ``reference``: ``[N]``, label's unit.
    ``batch``: samples per run, >= 1. Raises: as `Engine.run`; ValueError for arrays of unequal length.
    """
    if len(images) != len(reference) or len(images) == 0 or batch < 1:
        raise ValueError(f"{len(images)} images, {len(reference)} reference values, batch {batch}")
    # float64: the difference of two float32 values must not be rounded once more.
    deviation = np.abs(
        run_batched(engine, images, batch).astype(np.float64) - np.asarray(reference, np.float64)
    )
    return MeasuredDeviation(
        batch=batch,
        n=len(images),
        mean=float(deviation.mean()),
        p99=float(np.percentile(deviation, 99)),
        max=float(deviation.max()),
    )
