"""The finder that a profile asks for."""

from __future__ import annotations

from collections.abc import Sequence

from analyte.contract.errors import ProfileError
from analyte.contract.sections.region import RegionSection
from analyte.runtime.regions.boxes import check_one_frame, refuse_unknown_views
from analyte.runtime.regions.circle import CircleRegion
from analyte.runtime.regions.fixed import FixedRegions
from analyte.runtime.regions.markers import MarkerRegions
from analyte.runtime.regions.protocol import RegionFinder
from analyte.runtime.regions.wells import WellRegions


def finder_of(
    section: RegionSection, views: Sequence[str], *, where: object, one_frame: bool = True
) -> RegionFinder:
    """Return what finds the regions of ``views`` in a frame.

    ``one_frame``: whether it shows all of them; else each view has a frame of its own, and is the whole of it
    where it has no box.
    Raises: ProfileError where the section does not fit the views, or names markers that OpenCV has not.
    """
    inner = _within(section, views, where, one_frame=one_frame)
    return inner if section.markers is None else MarkerRegions(section.markers, inner, where=where)


def _within(section: RegionSection, views: Sequence[str], where: object, *, one_frame: bool) -> RegionFinder:
    if section.circle is not None:
        return CircleRegion(section.circle, _only_view(views, "circle", where))
    if section.wells is not None:
        return WellRegions(section.wells, _only_view(views, "wells", where))
    if one_frame:
        check_one_frame(section.boxes, views, where=where)
    else:
        refuse_unknown_views(section.boxes, views, where=where)
    return FixedRegions(section.boxes)


def _only_view(views: Sequence[str], key: str, where: object) -> str:
    if len(views) != 1:
        raise ProfileError(
            f"region.{key}: finds one region per reading",
            where=where,
            expected="a bundle of one view",
            got=f"views {', '.join(views)}",
            fix="Use [region.boxes], with [region.markers] where the camera may move",
        )
    return views[0]
