"""What is measured: its name, its unit and the range in which the instrument was calibrated."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("must be a finite number")
    return value


def _ordered(limits: tuple[float, float]) -> tuple[float, float]:
    if not limits[0] < limits[1]:
        raise ValueError("must be [low, high] with low < high")
    return limits


Finite = Annotated[float, AfterValidator(_finite)]
Range = Annotated[tuple[Finite, Finite], AfterValidator(_ordered)]


class LabelSpec(BaseModel):
    """The measurand. Values outside ``range`` are extrapolation and never reported as good."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    analyte: str = Field(min_length=1)
    """What is measured, in words."""
    unit: str = Field(min_length=1)
    """Unit of every value, interval and deviation."""
    range: Range
    """Lowest and highest calibrated value, in ``unit``."""

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
