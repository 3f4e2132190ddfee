"""``[camera]``: what the device sees with."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from analyte.contract.label import Finite
from analyte.contract.sections.base import Section

Gain = Annotated[Finite, Field(gt=0, le=32)]
"""Factor on a colour, against green."""


class ControlsSection(Section):
    """What a camera is set to, its automatics off; read back, and refused where it is not so."""

    exposure_ms: Finite | None = Field(default=None, gt=0)
    """Exposure time, milliseconds; V4L2 knows steps of 0.1."""
    gain: Finite | None = Field(default=None, ge=0)
    """In the driver's own unit; the factor itself for a CSI camera."""
    white_balance_k: int | None = Field(default=None, gt=0)
    """Colour temperature, kelvin; V4L2 only."""
    white_balance_gains: tuple[Gain, Gain] | None = None
    """Gains of red and blue; CSI cameras only."""
    focus: Finite | None = Field(default=None, ge=0)
    """In the driver's own unit; dioptres for a CSI camera."""


class RawSection(Section):
    """What a sensor's raw numbers mean, for a camera that gives them instead of a picture."""

    pattern: Literal["grey", "RGGB", "BGGR", "GRBG", "GBRG"]
    """Colours of the first two pixels of the first two rows; grey without a filter."""
    bits: Literal[8, 10, 12, 14, 16]
    """Bits per pixel; more than 8 lie in the low bits of 16."""
    black_level: int = Field(default=0, ge=0)
    """What the sensor counts without light."""
    white_balance_gains: tuple[Gain, Gain] = (1.0, 1.0)
    """Gains of red and blue."""

    @model_validator(mode="after")
    def _black_is_dark(self) -> Self:
        if self.black_level >= 2**self.bits // 2:
            raise ValueError(
                f"black_level must be less than half of {2**self.bits - 1}, got {self.black_level}"
            )
        if self.pattern == "grey" and self.white_balance_gains != (1.0, 1.0):
            raise ValueError("white_balance_gains are for a pattern of colours, got pattern 'grey'")
        return self


class SimulatedSection(Section):
    """How a simulated camera plays its pictures."""

    fps: Finite = Field(default=10.0, gt=0, le=1000)
    """Frames per second."""
    picture_s: Finite = Field(default=2.0, gt=0)
    """How long each picture is shown, seconds; a frame at least."""


class CameraSection(Section):
    """What the device sees with."""

    source: str | None = None
    """Camera index or device file, ``csi:0``, stream URL, ``gst:PIPELINE``, video file, picture, folder of
    pictures, ``watch:FOLDER`` or ``sim:FOLDER``; ``--source`` overrides it."""
    width: int | None = Field(default=None, gt=0)
    """Frame width to demand, pixels; refused when the source gives another."""
    height: int | None = Field(default=None, gt=0)
    """Frame height to demand, pixels."""
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
    existing: bool = Field(default=False, strict=True)
    """Whether a watched folder's pictures that are there at the start are measured too."""
    controls: ControlsSection = ControlsSection()
    raw: RawSection | None = None
    """For a camera that is to give raw numbers; None for pictures."""
    simulated: SimulatedSection = SimulatedSection()
