"""``[bundles]``: the bundles that a device keeps, and how a new one takes over."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from analyte.contract.label import Finite
from analyte.contract.sections.base import Section


class BundlesSection(Section):
    """The bundles that a device keeps, and how a new one takes over while it measures."""

    folder: Path | None = None
    """Where they are kept, relative to the folder that the daemon runs in; None runs ``--bundle`` and no
    other."""
    shadow_readings: int = Field(default=20, ge=1)
    """How many readings a new bundle makes beside the running one, on the same frames, before it is
    judged."""
    max_difference: Finite | None = Field(default=None, gt=0)
    """Largest mean absolute difference of these readings, in the label's unit, at which the new bundle takes
    over by itself; None leaves it to a person."""
    max_refused: Finite = Field(default=0.1, ge=0, le=1)
    """Largest share of the running bundle's values that the new one may refuse."""

    @model_validator(mode="after")
    def _goes_with_a_folder(self) -> Self:
        if self.folder is None and self.max_difference is not None:
            raise ValueError("max_difference needs folder: without it no other bundle is run")
        return self
