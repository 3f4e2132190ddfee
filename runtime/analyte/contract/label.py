"""What is measured: its name, its unit and the range in which the instrument was calibrated."""

from __future__ import annotations

import math
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("must be a finite number")
    return value


Finite = Annotated[float, AfterValidator(_finite)]


class LabelSpec(BaseModel):
    """The measurand. Values outside ``range`` are extrapolation and never reported as good."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    analyte: str = Field(min_length=1)
    """What is measured, in words."""
    unit: str = Field(min_length=1)
    """Unit of every value, interval and deviation."""
    range: tuple[Finite, Finite]
    """Lowest and highest calibrated value, in ``unit``."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        low, high = self.range
        if not low < high:
            raise ValueError(f"range must be [low, high] with low < high, got [{low:g}, {high:g}]")
        return self

    @property
    def low(self) -> float:
        """Lowest calibrated value, in ``unit``."""
        return self.range[0]

    @property
    def high(self) -> float:
        """Highest calibrated value, in ``unit``."""
        return self.range[1]

    @property
    def span(self) -> float:
        """Width of the range, in ``unit``: what tolerances are a fraction of."""
        return self.range[1] - self.range[0]
