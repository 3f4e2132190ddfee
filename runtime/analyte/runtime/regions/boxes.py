"""Regions of views: as people write them, and against what a bundle needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import ValidationError

from analyte.contract.errors import ProfileError, SettingsError
from analyte.contract.preprocessing import Box
from analyte.contract.validation import in_words

_FORMAT = "x,y,w,h or VIEW=x,y,w,h in whole pixels"


def parse_regions(texts: Sequence[str], views: Sequence[str]) -> dict[str, Box]:
    """Parse ``x,y,w,h`` (where there is one view) or ``VIEW=x,y,w,h`` into regions by view.

    Raises: SettingsError for anything else, a view that the bundle does not have, or one given twice.
    """
    regions: dict[str, Box] = {}
    for text in texts:
        view, _, numbers = text.rpartition("=")
        if not view:
            if len(views) != 1:
                raise SettingsError(
                    f"which view is region {text!r} of?",
                    expected=" or ".join(f"{name}=x,y,w,h" for name in views),
                )
            view = views[0]
        if view in regions:
            raise SettingsError(f"two regions for view {view!r}", got=text)
        regions[view] = _parse_box(text, numbers)
    unknown = [view for view in regions if view not in views]
    if unknown:
        raise SettingsError(f"the bundle has no view {unknown[0]!r}", expected=", ".join(views))
    return regions


def refuse_unknown_views(regions: Mapping[str, Box], views: Sequence[str], *, where: object) -> None:
    """Raises: ProfileError when ``regions`` names a view that the bundle does not have."""
    unknown = [view for view in regions if view not in views]
    if unknown:
        raise ProfileError(
            f"region.boxes.{unknown[0]}: the bundle has no such view",
            where=where,
            expected=", ".join(views),
        )


def check_one_frame(regions: Mapping[str, Box], views: Sequence[str], *, where: object) -> None:
    """Refuse regions that cannot show every view of a bundle in one frame.

    With one view, no region means the whole frame. With several, all need one: else two views would see the
    same pixels. Raises: ProfileError naming what is unknown or missing.
    """
    refuse_unknown_views(regions, views, where=where)
    missing = [view for view in views if view not in regions]
    if len(views) > 1 and missing:
        raise ProfileError(
            f"no region for view {', '.join(missing)}",
            where=where,
            expected="region.boxes with every view of the bundle: " + ", ".join(views),
            got=", ".join(regions) or "none",
            fix=f"Add {missing[0]} = {{x=0, y=0, w=100, h=100}} under [region.boxes]",
        )


def _parse_box(text: str, numbers: str) -> Box:
    parts = numbers.split(",")
    # int() also takes underscores, signs and other scripts' digits: nothing that a person means by pixels.
    if len(parts) != 4 or not all(p.strip().isascii() and p.strip().isdigit() for p in parts):
        raise SettingsError(f"not a region: {text!r}", expected=_FORMAT)
    if any(len(part.strip()) > 9 for part in parts):
        raise SettingsError(f"not a region: {text!r}", expected="pixels below 1,000,000,000")
    x, y, w, h = (int(part) for part in parts)
    try:
        return Box(x=x, y=y, w=w, h=h)
    except ValidationError as error:
        raise SettingsError(f"not a region: {text!r}", expected=_FORMAT, got=in_words(error)) from error
