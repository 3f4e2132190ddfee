"""Whether a number may be reported: the rules between a prediction and a reading."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from analyte.contract.arrays import UInt8Array
from analyte.contract.baseline import Baseline
from analyte.contract.covariates import Examination
from analyte.contract.foreign import ForeignCalibration
from analyte.contract.interval import IntervalCalibration
from analyte.contract.label import LabelSpec
from analyte.contract.reading import Flag, Reason
from analyte.runtime.control.recalibration import Correction
from analyte.runtime.engines.protocol import Prediction
from analyte.runtime.quality.protocol import Verdict


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


@dataclass(frozen=True, slots=True)
class Distance:
    """How far the picture's features lie from those of the training pictures, in standard deviations."""

    value: float
    limit: float
    """Largest distance of good pictures."""


@dataclass(frozen=True, slots=True)
class Rules:
    """All that a run or a bundle says about which predictions may be reported."""

    label: LabelSpec
    interval: IntervalCalibration
    baseline: Baseline
    disagreement_limit: float | None
    """Largest disagreement of network and baseline, label's unit; None leaves the baseline unasked."""
    foreign: ForeignCalibration | None
    lod: float | None = None
    """Limit of detection, label's unit; None reports every value."""
    loq: float | None = None
    """Limit of quantitation, label's unit; None flags none."""

    def judge(
        self, images: UInt8Array, prediction: Prediction, correction: Correction | None = None
    ) -> list[Judgement]:
        """Judge what an engine said of preprocessed pictures ``[N, V, S, S, 3]``, RGB, one by one.

        ``correction``: a recalibration, applied to what is no foreign or implausible picture.
        Raises: IntegrityError when the features are not those that the score was made for.
        """
        n = len(prediction.value)
        seconds: list[SecondOpinion | None] = [None] * n
        distances: list[Distance | None] = [None] * n
        if self.disagreement_limit is not None:
            limit = self.disagreement_limit
            seconds = [SecondOpinion(float(value), limit) for value in self.baseline.predict(images)]
        if self.foreign is not None:
            limit = self.foreign.limit
            distances = [Distance(float(score), limit) for score in self.foreign.score(prediction.features)]
        return [
            with_limits(
                with_correction(
                    judge(float(value), float(sigma), self.label, self.interval, second, distance),
                    correction,
                    self.label,
                    self.interval,
                ),
                self.label,
                self.lod,
                self.loq,
            )
            for value, sigma, second, distance in zip(
                prediction.value, prediction.sigma, seconds, distances, strict=True
            )
        ]


def with_remark(judgement: Judgement, examined: Examination) -> Judgement:
    """Flag a value that is given although a covariate lies a little outside what training saw."""
    if judgement.reason is not None or not examined.remark:
        return judgement
    flags = (*judgement.flags, Flag.COVARIATE_OUT_OF_RANGE)
    detail = "; ".join(filter(None, (judgement.detail, examined.remark)))
    return replace(judgement, flags=flags, detail=detail)


def with_verdict(judgement: Judgement, verdict: Verdict) -> Judgement:
    """Add what the quality check found; its refusal goes before any other, for it explains them."""
    if not verdict.detail:
        return judgement
    flags = tuple(dict.fromkeys((*judgement.flags, *verdict.flags)))
    detail = "; ".join(filter(None, (verdict.detail, judgement.detail)))
    if verdict.reason is not None:
        return Judgement(flags=flags, reason=verdict.reason, detail=verdict.detail)
    return replace(judgement, flags=flags, detail=detail)


def with_correction(
    judgement: Judgement, correction: Correction | None, label: LabelSpec, interval: IntervalCalibration
) -> Judgement:
    """Correct value, interval and sigma by a recalibration, whose own uncertainty widens them.

    The range is asked for again, of the value that is reported; flags of the value before it stay.
    """
    if correction is None or judgement.value is None or judgement.sigma is None:
        return judgement
    value = correction.value(judgement.value)
    corrected = _in_range(value, correction.sigma(judgement.value, judgement.sigma), label, interval)
    if corrected.reason is not None:
        return corrected
    return replace(
        corrected,
        flags=tuple(dict.fromkeys((*judgement.flags, *corrected.flags))),
        detail="; ".join(dict.fromkeys(filter(None, (judgement.detail, corrected.detail)))),
    )


def with_limits(judgement: Judgement, label: LabelSpec, lod: float | None, loq: float | None) -> Judgement:
    """Give no value below the limit of detection, and flag one below that of quantitation (ICH Q2(R2)).

    Below the limit of detection ``upper`` is that limit, or the interval's upper end where that is higher.
    """
    if judgement.value is None or judgement.upper is None:
        return judgement
    if lod and judgement.value < lod:
        flags = (*(flag for flag in judgement.flags if flag is not Flag.OUT_OF_RANGE), Flag.BELOW_LOD)
        detail = f"less than the limit of detection, {lod:.4g} {label.unit}"
        return Judgement(upper=max(lod, judgement.upper), flags=flags, detail=detail)
    if loq and judgement.value < loq:
        detail = (
            f"expected at least the limit of quantitation, {loq:.4g} {label.unit}; got {judgement.value:.4g}"
        )
        return replace(
            judgement,
            flags=(*judgement.flags, Flag.BELOW_LOQ),
            detail="; ".join(filter(None, (judgement.detail, detail))),
        )
    return judgement


def judge(
    value: float,
    sigma: float,
    label: LabelSpec,
    interval: IntervalCalibration,
    second: SecondOpinion | None = None,
    distance: Distance | None = None,
) -> Judgement:
    """Judge a raw value and sigma, both in the label's unit.

    The interval is ``value +- quantile * sigma``. A picture too far from those of the training is refused as
    foreign, a value that the second opinion contradicts as implausible. Beyond the calibrated range by more
    than its half-width the value is refused; by less it is flagged.
    """
    half = interval.quantile * sigma
    if not (math.isfinite(value - half) and math.isfinite(value + half)) or sigma < 0:
        return Judgement(
            reason=Reason.NOT_FINITE,
            detail=f"expected a finite value and a sigma of 0 or more; got {value:g} and {sigma:g}",
        )
    # Both written so that a NaN is refused.
    if distance is not None and not distance.value <= distance.limit:
        return Judgement(
            reason=Reason.FOREIGN,
            detail="the picture does not look like the training pictures; expected features within "
            f"{distance.limit:.3g} standard deviations of theirs; got {distance.value:.3g}",
        )
    if second is not None and not abs(value - second.value) <= second.limit:
        return Judgement(
            reason=Reason.IMPLAUSIBLE,
            detail=f"expected network and calibration curve to agree within {second.limit:.4g} {label.unit}; "
            f"got {value:.6g} and {second.value:.6g}",
        )
    return _in_range(value, sigma, label, interval)


def _in_range(value: float, sigma: float, label: LabelSpec, interval: IntervalCalibration) -> Judgement:
    """Flag what lies beyond the range by less than its interval, refuse what lies farther."""
    half = interval.quantile * sigma
    lower, upper = value - half, value + half
    excess = max(label.low - value, value - label.high)
    if excess <= 0:
        return Judgement(value, lower, upper, sigma)
    detail = f"expected {label.low:g} to {label.high:g} {label.unit}; got {value:.6g}, interval +- {half:.3g}"
    if excess > half:
        return Judgement(reason=Reason.OUT_OF_RANGE, detail=detail)
    return Judgement(value, lower, upper, sigma, (Flag.OUT_OF_RANGE,), None, detail)
