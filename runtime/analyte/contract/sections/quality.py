"""``[quality]``: what a good photograph is. ``analyte quality`` learns sensible limits; docs/quality.md."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from analyte.contract.label import Finite
from analyte.contract.sections.base import Section


class Limits(Section):
    """Where a figure is flagged and where the reading is refused, in the figure's unit."""

    flag_below: Finite | None = None
    flag_above: Finite | None = None
    refuse_below: Finite | None = None
    refuse_above: Finite | None = None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        lows = [v for v in (self.refuse_below, self.flag_below) if v is not None]
        highs = [v for v in (self.flag_above, self.refuse_above) if v is not None]
        if not lows + highs:
            raise ValueError("needs one of flag_below, flag_above, refuse_below, refuse_above, got none")
        if sorted(lows + highs) != lows + highs:
            raise ValueError(
                "expected refuse_below <= flag_below <= flag_above <= refuse_above, "
                f"got {', '.join(f'{v:g}' for v in lows + highs)}"
            )
        return self


class ShareLimits(Limits):
    """Limits of a figure that lies between 0 and 1."""

    @model_validator(mode="after")
    def _within_reach(self) -> Self:
        for name, limit in self:
            if limit is not None and not 0 <= limit <= 1:
                raise ValueError(f"{name} must lie between 0 and 1, as the figure does, got {limit:g}")
        return self


class CoverageLimits(ShareLimits):
    """Limits of a share of which none is too high."""

    @model_validator(mode="after")
    def _only_from_below(self) -> Self:
        for name in ("flag_above", "refuse_above"):
            if getattr(self, name) is not None:
                raise ValueError(f"{name} would refuse what is seen whole; expected flag_below, refuse_below")
        return self


class RatioLimits(Limits):
    """Limits of a figure that is 0 or more."""

    @model_validator(mode="after")
    def _not_negative(self) -> Self:
        for name, limit in self:
            if limit is not None and limit < 0:
                raise ValueError(f"{name} must be 0 or more, as the figure is, got {limit:g}")
        return self


class LightLimits(RatioLimits):
    """Limits of the light's ratio to what it was when the limits were set."""

    level: Finite = Field(gt=0, le=1)
    """Level of the region's surround on good photographs, 0 to 1: where the ratio is 1."""


class QualitySection(Section):
    """Figures without limits are not measured.

    Their sources, and how well each tells good photographs from bad ones, are in docs/quality.md.
    """

    focus: ShareLimits | None = None
    """Detail of two pixels' width against all contrast of the region: root mean square difference of pixels
    two apart over sqrt(2) standard deviations. 0 for a smooth picture, 1 for one without any structure."""
    clipped: ShareLimits | None = None
    """Share of the region's pixels with a channel of at least 254 or with all channels at 0, 0 to 1."""
    exposure: ShareLimits | None = None
    """Mean level of the cut-out over its channels, 0 (black) to 1 (255)."""
    glare: ShareLimits | None = None
    """Share of the region's pixels in small near-white spots that are brighter than its median, 0 to 1."""
    motion: ShareLimits | None = None
    """Mean absolute difference from the frame before, a common change of brightness removed, 0 to 1 (255
    levels). Not measured on the first frame, nor on photographs in files."""
    coverage: CoverageLimits | None = None
    """Share of what was looked for that lies within the frame, 0 to 1."""
    light: LightLimits | None = None
    """Mean level of the region's surround over ``level``."""
