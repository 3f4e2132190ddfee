"""``[control]``: control materials, the rules that judge them, and what a failed one stops;
docs/quality_control.md."""

from __future__ import annotations

from datetime import date
from typing import Literal, Self

from pydantic import Field, model_validator

from analyte.contract.label import Finite
from analyte.contract.sections.base import Section

RuleName = Literal["1-2s", "1-3s", "2-2s", "R-4s", "4-1s", "10x"]
"""Rules of Westgard et al. 1981."""


class MaterialSection(Section):
    """One control material, as its certificate or the lab's own replicates say."""

    name: str = Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")
    """What people call it, such as ``low``."""
    target: Finite
    """Its value, label's unit."""
    s: Finite = Field(gt=0)
    """Standard deviation of its values while all is well, from day to day, label's unit."""
    lot: str = ""
    """Another lot begins another series."""
    expires: date | None = None
    """Last day on which it may be measured; None where it does not expire."""


class DriftSection(Section):
    """A chart for small lasting shifts, of each material by itself, in units of its s.

    The defaults alarm once in about 465 (CUSUM) or 500 (EWMA) controls while all is well (Montgomery,
    Introduction to Statistical Quality Control, 7th ed., tables 9.3 and 9.11).
    """

    method: Literal["cusum", "ewma"]
    action: Literal["warn", "reject"] = "warn"
    """Whether an alarm is a warning or fails the control."""
    slack: Finite = Field(default=0.5, ge=0)
    """CUSUM's k: half of the shift that matters, in s."""
    decision: Finite = Field(default=5.0, gt=0)
    """CUSUM's h: the sum at which it alarms, in s."""
    weight: Finite = Field(default=0.2, gt=0, le=1)
    """EWMA's lambda: share of the newest control, 0 to 1."""
    width: Finite = Field(default=2.962, gt=0)
    """EWMA's L: half-width of its limits in standard deviations of the average."""

    @model_validator(mode="after")
    def _keys_go_with_the_method(self) -> Self:
        others = {"cusum": ("weight", "width"), "ewma": ("slack", "decision")}[self.method]
        foreign = [name for name in others if name in self.model_fields_set]
        if foreign:
            raise ValueError(f"{foreign[0]} is no key of method {self.method!r}")
        return self


class ControlSection(Section):
    """Nothing is controlled where no material is named."""

    materials: tuple[MaterialSection, ...] = ()
    reject: tuple[RuleName, ...] = ("1-3s", "2-2s", "R-4s", "4-1s", "10x")
    """Rules that fail a control when they are broken."""
    warn: tuple[RuleName, ...] = ("1-2s",)
    """Rules that warn."""
    drift: DriftSection | None = None
    interval_h: Finite | None = Field(default=None, gt=0)
    """Readings are refused where one of the materials was not measured, and passed, for so many hours; None
    waits for nobody."""
    run_h: Finite = Field(default=1.0, gt=0)
    """Controls within so many hours belong to one run: what R-4s compares."""
    lock_out: bool = Field(default=True, strict=True)
    """Whether a failed control stops the readings until a person releases them."""
    release_role: Literal["operator", "supervisor"] = "supervisor"
    """Role of the person who may release them, or one above."""
    max_residual: Finite | None = Field(default=None, gt=0)
    """Largest distance of a standard from the line of a recalibration, label's unit; None: a twentieth of the
    bundle's range."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = [material.name for material in self.materials]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ValueError(f"materials: two of the name {twice[0]!r}")
        both = [rule for rule in self.reject if rule in self.warn]
        if both:
            raise ValueError(f"rule {both[0]!r} stands in reject and in warn, expected one of them")
        if self.interval_h is not None and not self.materials:
            raise ValueError("interval_h needs materials, for nothing could be measured")
        return self
