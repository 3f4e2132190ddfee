"""The gate: no artifact leaves that does not say what Keras said, in the label's unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analyte.contract.arrays import Float32Array, Float64Array, UInt8Array
from analyte.contract.foreign import ForeignCalibration
from analyte.contract.manifest import Deviation, Precision
from analyte.contract.metrics import regression_metrics
from analyte.runtime.deviation import (
    GATED_BY_MAXIMUM,
    SIGMA_TOLERANCE,
    MeasuredDeviation,
    compare,
    run_batched,
)
from analyte.runtime.engines.protocol import Engine, Prediction

TOLERANCE_OF_RANGE: dict[Precision, float] = {
    # Converters reorder float32 sums: a few units in the last place of each layer, seen as 1e-6 of the range.
    # Ten times that is still far below what any camera resolves, and far above no real fault.
    "float32": 1e-5,
    # Weights of eleven significant bits: each layer errs by up to 5e-4 of itself, most of it averaged out.
    "float16": 2e-3,
    # One step of an 8-bit feature moves the value by about a thousandth of the range; the 99th percentile
    # over pictures must stay within a hundredth, which an interval of a few hundredths hides.
    "int8": 1e-2,
    "dynamic": 1e-2,
    "int8-strict": 1e-2,
    "int16x8": 1e-2,
}
"""Largest deviation from Keras, as a fraction of the range: of the maximum (floats) or p99 (integers)."""

MAE_GROWTH: dict[Precision, float] = {
    "float32": 0.02,
    "float16": 0.02,
    "dynamic": 0.02,
    "int8": 0.02,
    "int16x8": 0.02,
    # Integers from the picture on: also the colours are rounded.
    "int8-strict": 0.05,
}
"""How much larger an artifact's mean absolute error may be than that of Keras, as a fraction of it."""
FOREIGN_GROWTH = 0.02
"""How much larger a share of good pictures an artifact may refuse as foreign than Keras does: as many again
as the limit is calibrated to."""
_WORST = 5
MAE_SLACK_OF_RANGE = 1e-3
"""Growth below this fraction of the range never fails: on small errors a ratio only measures noise."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Labelled pictures with what Keras says about them. Never pictures that calibrated the quantization.

    ``images``: uint8 ``[N, V, S, S, 3]``, RGB. ``true``: ``[N]``, label's unit. ``foreign``: the score that
    the features are for, None without one. ``covariates``: float32 ``[N, K]``, None where K is 0.
    """

    images: UInt8Array
    true: Float64Array
    keras: Prediction
    foreign: ForeignCalibration | None = None
    covariates: Float32Array | None = None


@dataclass(frozen=True, slots=True)
class WorstPicture:
    """A picture that an artifact reads otherwise than Keras; values in the label's unit."""

    index: int
    """Place among the pictures that were judged, from 0."""
    true: float
    keras: float
    artifact: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an artifact did at the gate."""

    deviation: Deviation
    measured: MeasuredDeviation
    problems: tuple[str, ...]
    """What it misses, in words; empty when it passes."""
    deviation_problems: tuple[str, ...]
    """Those of `problems` that compare it with Keras picture by picture."""
    worst: tuple[WorstPicture, ...]
    """Where it deviates most, the worst first."""


def judge(engine: Engine, precision: Precision, data: Judged, span: float, batch: int = 64) -> Verdict:
    """Compare an artifact with Keras on labelled pictures; ``span``: width of the range, label's unit."""
    said = run_batched(engine, data.images, batch, data.covariates)
    measured = compare(said, data.keras.value, batch, sigma=data.keras.sigma)
    mae = regression_metrics(data.true, said.value).mae
    mae_keras = regression_metrics(data.true, data.keras.value).mae
    tolerance = TOLERANCE_OF_RANGE[precision] * span
    problems: list[str] = []
    if not measured.value_passes(precision, tolerance):
        statistic = "max" if precision in GATED_BY_MAXIMUM else "p99"
        problems.append(
            f"{statistic} deviation {measured.gated(precision):.3g} exceeds the tolerance {tolerance:.3g}"
        )
    if not measured.sigma_passes(precision):
        problems.append(
            f"sigma is {measured.sigma_ratio:.3g} times that of Keras, tolerance "
            f"+-{100 * SIGMA_TOLERANCE[precision]:g} %"
        )
    by_picture = tuple(problems)
    allowed = mae_keras + max(MAE_GROWTH[precision] * mae_keras, MAE_SLACK_OF_RANGE * span)
    # Written so that a NaN fails.
    if not mae <= allowed:
        problems.append(f"MAE {mae:.4g} exceeds {allowed:.4g} (Keras: {mae_keras:.4g})")
    shares = [_foreign_share(prediction, data.foreign) for prediction in (said, data.keras)]
    if shares[0] is not None and shares[1] is not None and not shares[0] <= shares[1] + FOREIGN_GROWTH:
        problems.append(
            f"{100 * shares[0]:.3g} % of the good pictures count as foreign (Keras: {100 * shares[1]:.3g} %)"
        )
    deviation = Deviation(
        n=measured.n,
        mean=measured.mean,
        p99=measured.p99,
        max=measured.max,
        tolerance=tolerance,
        mae=mae,
        mae_keras=mae_keras,
        foreign=shares[0],
        foreign_keras=shares[1],
    )
    return Verdict(deviation, measured, tuple(problems), by_picture, _worst(said, data))


def _worst(said: Prediction, data: Judged) -> tuple[WorstPicture, ...]:
    apart = np.abs(said.value.astype(np.float64) - data.keras.value)
    # A NaN is the worst there is.
    order = np.argsort(-np.nan_to_num(apart, nan=np.inf), kind="stable")[:_WORST]
    return tuple(
        WorstPicture(int(i), float(data.true[i]), float(data.keras.value[i]), float(said.value[i]))
        for i in order
    )


def _foreign_share(prediction: Prediction, foreign: ForeignCalibration | None) -> float | None:
    """Return the share of pictures that are not within the limit, a NaN included."""
    if foreign is None:
        return None
    return float(np.mean(~(foreign.score(prediction.features) <= foreign.limit)))
