"""``[camera]``: what the device sees with."""

from __future__ import annotations

from pydantic import Field

from analyte.contract.label import Finite
from analyte.contract.sections.base import Section


class ControlsSection(Section):
    """What a V4L2 camera is set to, its automatics off; read back, and refused where it is not so."""

    exposure_ms: Finite | None = Field(default=None, gt=0)
    """Exposure time, milliseconds; V4L2 knows steps of 0.1."""
    gain: Finite | None = Field(default=None, ge=0)
    """In the driver's own unit."""
    white_balance_k: int | None = Field(default=None, gt=0)
    """Colour temperature, kelvin."""
    focus: int | None = Field(default=None, ge=0)
    """In the driver's own unit."""


class CameraSection(Section):
    """What the device sees with."""

    source: str | None = None
    """Camera index, video file, folder of pictures or stream URL; ``--source`` overrides it."""
    width: int | None = Field(default=None, gt=0)
    """Frame width to demand of a camera, pixels; refused when the camera gives another."""
    height: int | None = Field(default=None, gt=0)
    """Frame height to demand of a camera, pixels."""
    max_age_s: Finite = Field(default=0.5, gt=0)
    """Oldest frame that may be measured, seconds after its capture."""
    stall_s: Finite = Field(default=5.0, gt=0)
    """Time without a new frame after which the camera counts as lost, seconds."""
    repeats: bool = Field(default=False, strict=True)
    """Whether a frame that is the same as the one before, to the last bit, is a new one. A sensor has noise:
    it is a sign of a frozen camera. True is for streams whose encoder takes the noise away."""
    reopen_attempts: int = Field(default=30, ge=0)
    """How often in a row a lost camera is opened anew before the daemon ends, exit code 6; 0 ends at once."""
    reopen_first_s: Finite = Field(default=0.25, gt=0)
    """Time before the first attempt, seconds; it doubles with each that fails."""
    reopen_max_s: Finite = Field(default=2.0, gt=0)
    """Longest time between attempts, seconds."""
    controls: ControlsSection = ControlsSection()
