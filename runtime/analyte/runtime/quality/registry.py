"""The quality check that a profile asks for."""

from __future__ import annotations

from analyte.contract.sections.quality import Limits, QualitySection
from analyte.runtime.quality.check import LimitCheck
from analyte.runtime.quality.figures import FigureName
from analyte.runtime.quality.protocol import QualityCheck


def check_of(section: QualitySection, *, consecutive: bool = True) -> QualityCheck | None:
    """Return what checks the figures that have limits; None where none has.

    ``consecutive``: whether the pictures follow each other in time, as a camera's and a video's do; motion is
    not measured where they do not.
    """
    asked: dict[FigureName, Limits | None] = {
        "coverage": section.coverage,
        "exposure": section.exposure,
        "light": section.light,
        "clipped": section.clipped,
        "motion": section.motion if consecutive else None,
        "focus": section.focus,
        "glare": section.glare,
    }
    limits: dict[FigureName, Limits] = {name: limit for name, limit in asked.items() if limit is not None}
    if not limits:
        return None
    return LimitCheck(limits, light_level=section.light.level if section.light else 1.0)
