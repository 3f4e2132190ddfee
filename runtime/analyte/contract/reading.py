"""One measurement, or the refusal of one: what every sink, file and page shows."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum

from analyte.contract.covariates import Covariate

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)


class Flag(StrEnum):
    """What a person should know about a reading that is still given."""

    OUT_OF_RANGE = "out_of_range"
    """The value lies outside the calibrated range, by less than its interval."""
    COVARIATE_OUT_OF_RANGE = "covariate_out_of_range"
    """A number beside the picture lies outside what training saw, by a tenth of that range at most."""
    BELOW_LOD = "below_lod"
    """Less than can be told from nothing: no value is given, ``upper`` is the limit of detection."""
    BELOW_LOQ = "below_loq"
    """More than nothing, but below the limit of quantitation: the value is uncertain."""
    FOCUS = "focus"
    CLIPPED = "clipped"
    EXPOSURE = "exposure"
    GLARE = "glare"
    MOTION = "motion"
    COVERAGE = "coverage"
    LIGHT = "light"
    """These seven: a figure of the photograph's quality lies beyond the profile's limit for a flag."""
    OUTLIERS = "outliers"
    """Some frames of the reading were rejected as outliers."""


class Reason(StrEnum):
    """Why no value is given."""

    OUT_OF_RANGE = "out_of_range"
    """The value lies outside the calibrated range by more than its interval: extrapolation."""
    IMPLAUSIBLE = "implausible"
    """Network and calibration curve disagree by more than on any good picture: the picture is of something
    else, or of a value far outside the range."""
    FOREIGN = "foreign"
    """The picture does not look like the training pictures: its features lie too far from theirs."""
    COVARIATE = "covariate"
    """A number or category beside the picture is missing, or is none that training saw."""
    NOT_FINITE = "not_finite"
    """The engine gave no finite number."""
    BAD_FRAME = "bad_frame"
    """The frame cannot be measured: wrong layout, or the region lies outside it."""
    STALE_FRAME = "stale_frame"
    """The frame is older than the profile allows."""
    REGION_NOT_FOUND = "region_not_found"
    """The well or the markers are not to be seen where the profile expects them."""
    MOVED = "moved"
    """The well or the markers are there, but farther from where they should be than the profile allows."""
    COLOUR = "colour"
    """The colours cannot be corrected as the profile demands."""
    FOCUS = "focus"
    CLIPPED = "clipped"
    EXPOSURE = "exposure"
    GLARE = "glare"
    MOTION = "motion"
    COVERAGE = "coverage"
    LIGHT = "light"
    """These seven: a figure of the photograph's quality lies beyond the profile's limit for a refusal."""
    UNSTEADY = "unsteady"
    """The frames of one reading scatter by more than the profile allows, or too few of them are good."""
    CONTROL_FAILED = "control_failed"
    """A control sample failed, and nobody released the device since."""
    CONTROL_DUE = "control_due"
    """A control sample is to be measured first: the last one that passed is too old, or there is none."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One value with its unit and interval and where it came from; JSON names equal field names."""

    value: float | None
    """In ``unit``; None when refused, and when it is below the limit of detection."""
    unit: str
    lower: float | None
    """Lower end of the interval, in ``unit``."""
    upper: float | None
    """Upper end of the interval, in ``unit``."""
    coverage: float
    """Share of true values that the interval is calibrated to contain, 0 to 1."""
    sigma: float | None
    """Predicted standard deviation, in ``unit``."""
    flags: tuple[Flag, ...]
    refused: bool
    reason: Reason | None
    """Why the reading is refused; None when it is not."""
    detail: str
    """What was expected and got, for a refused or flagged reading; empty otherwise."""
    analyte: str
    source: str
    """The camera, file or frame that was measured; credentials are never part of it."""
    frames: int
    """Frames used."""
    bundle: str
    """Bundle id: the sha256 of its manifest, hexadecimal."""
    artifact: str
    engine: str
    provider: str
    device: str
    captured_at: str
    """UTC, ISO 8601 with microseconds."""
    capture_age_ms: float
    """Age of the frame when it was measured, milliseconds."""
    latency_ms: dict[str, float] = field(default_factory=dict)
    """Time spent by stage, milliseconds."""
    frame_sha256: str = ""
    """sha256 of the pixels that the graph saw, hexadecimal."""
    regions: dict[str, tuple[int, int, int, int]] = field(default_factory=dict)
    """x, y, w, h by view, pixels; empty where the whole picture was used."""
    covariates: dict[str, Covariate] = field(default_factory=dict)
    """Numbers and categories beside the picture, by name."""
    id: str = ""
    """Unique id of the reading, UUID version 4."""
    site: str = ""
    """Well of a plate, such as ``B7``; empty where a frame gives one reading."""
    quality: dict[str, float] = field(default_factory=dict)
    """Figures of the photograph's quality, by the names of the profile's section."""
    colour: dict[str, str | float | list[float] | None] = field(default_factory=dict)
    """What was done to the colours: method, residual, age and gains (R, G, B of the frame, or of each view's
    in their order); empty where nothing was."""
    spread: float | None = None
    """Standard deviation of the values of the frames used, in ``unit``; None with one frame."""
    rejected_frames: int = 0
    """Frames that were looked at but not used: outliers and refused ones."""
    frame_file: str = ""
    """File of the frame in the folder of refused frames; empty where none was kept. Newer frames may have
    taken its room since."""
    recalibration: str = ""
    """Version of the recalibration by which value, interval and sigma are corrected; empty where none is."""

    def to_json(self) -> str:
        """Return the reading as one line of JSON."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return _ENCODER.encode(fields)
