"""``[colour]``: what is done about the light between the camera and the network."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from analyte.contract.label import Finite
from analyte.contract.preprocessing import Box
from analyte.contract.sections.base import Section


class ColourSection(Section):
    """Nothing is corrected unless it is asked for here."""

    calibration: Path | None = None
    """File that ``analyte colour calibrate`` wrote, relative to the folder of the profile."""
    trained_alike: bool = Field(default=False, strict=True)
    """Whether the bundle was trained on pictures that were corrected in the same way. Charts, dark and flat
    frames change the colours of every picture: without this they are refused, for every value would be
    wrong. A white patch keeps colours as they were when it was calibrated."""
    white: Box | None = None
    """White reference patch in the frame, pixels: its colour is brought to that of the calibration in
    every frame."""
    max_age_days: Finite | None = Field(default=None, gt=0)
    """Oldest calibration that is used, days, where that is less than the calibration itself allows."""
    max_residual: Finite = Field(default=5.0, gt=0)
    """Largest mean residual of a chart's patches after the correction, Delta E 2000."""

    @model_validator(mode="after")
    def _white_needs_its_colour(self) -> Self:
        given = [name for name in ("white", "max_age_days") if getattr(self, name) is not None]
        if given and self.calibration is None:
            raise ValueError(f"{given[0]} needs calibration, the file that analyte colour calibrate wrote")
        return self
