"""Whether a number may be reported: the rules between a prediction and a reading."""

from __future__ import annotations

import math
from dataclasses import dataclass

from analyte.contract.interval import IntervalCalibration
from analyte.contract.label import LabelSpec
from analyte.contract.reading import Flag, Reason


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is reported; ``value``, ``lower``, ``upper``, ``sigma`` in the label's unit, None when refused."""

    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    sigma: float | None = None
    flags: tuple[Flag, ...] = ()
    reason: Reason | None = None
    """Why it is refused; None when it is not."""
    detail: str = ""
    """What was expected and got, where there is a flag or a reason."""


@dataclass(frozen=True, slots=True)
class SecondOpinion:
    """What the calibration curve says of the same picture. It extrapolates where a network saturates."""

    value: float
    """Label's unit."""
    limit: float
    """Largest disagreement with the network that is seen on good pictures, label's unit."""


def judge(
    value: float,
    sigma: float,
    label: LabelSpec,
    interval: IntervalCalibration,
    second: SecondOpinion | None = None,
) -> Judgement:
    """Judge a raw value and sigma, both in the label's unit.

    The interval is ``value +- quantile * sigma``. A value that the second opinion contradicts is refused as
    implausible. Beyond the calibrated range by more than its half-width the value is refused; by less it is
    flagged.
    """
    half = interval.quantile * sigma
    lower, upper = value - half, value + half
    if not (math.isfinite(lower) and math.isfinite(upper)) or sigma < 0:
        return Judgement(
            reason=Reason.NOT_FINITE,
            detail=f"expected a finite value and a sigma of 0 or more; got {value:g} and {sigma:g}",
        )
    # Written so that a NaN is refused.
    if second is not None and not abs(value - second.value) <= second.limit:
        return Judgement(
            reason=Reason.IMPLAUSIBLE,
            detail=f"expected network and calibration curve to agree within {second.limit:.4g} {label.unit}; "
            f"got {value:.6g} and {second.value:.6g}",
        )
    excess = max(label.low - value, value - label.high)
    if excess <= 0:
        return Judgement(value, lower, upper, sigma)
    detail = f"expected {label.low:g} to {label.high:g} {label.unit}; got {value:.6g}, interval +- {half:.3g}"
    if excess > half:
        return Judgement(reason=Reason.OUT_OF_RANGE, detail=detail)
    return Judgement(value, lower, upper, sigma, (Flag.OUT_OF_RANGE,), None, detail)
