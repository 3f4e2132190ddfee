"""One measurement, or the refusal of one: what every sink, file and page shows."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from enum import StrEnum

from analyte.contract.covariates import Covariate


class Flag(StrEnum):
    """What a person should know about a reading that is still given."""

    OUT_OF_RANGE = "out_of_range"
    """The value lies outside the calibrated range, by less than its interval."""
    COVARIATE_OUT_OF_RANGE = "covariate_out_of_range"
    """A number beside the picture lies outside what training saw, by a tenth of that range at most."""


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


@dataclass(frozen=True, slots=True)
class Reading:
    """One value with its unit and interval and where it came from; JSON names equal field names."""

    value: float | None
    """In ``unit``; None when refused."""
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

    def to_json(self) -> str:
        """Return the reading as one line of JSON."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False, allow_nan=False)
