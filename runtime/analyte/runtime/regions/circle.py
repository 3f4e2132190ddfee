"""A round well that is searched for near where the profile expects it."""

from __future__ import annotations

import math

from analyte.contract.arrays import UInt8Array
from analyte.contract.preprocessing import Box
from analyte.contract.reading import Reason
from analyte.contract.sections.region import CircleSection
from analyte.runtime.refusal import Refusal
from analyte.runtime.regions.circle_search import CircleSearch
from analyte.runtime.regions.edge_fit import Circle
from analyte.runtime.regions.protocol import Located, Site

_BEYOND = 0.25
"""How far beyond the tolerance is searched, radii: a well there has moved, none there is not to be
seen."""
_MOST_SHIFT = 0.07
"""How far the square may be pushed back into the frame, edges of it: the well is still whole and as
large, and lies as far from the middle as in a photograph that was not framed with care."""


def search_of(section: CircleSection) -> CircleSearch:
    """Return what searches frames for the circle of a section."""
    return CircleSearch(section.x, section.y, section.radius, section.tolerance + _BEYOND)


class CircleRegion:
    """A square around the well of each frame. Not for use by two threads at once."""

    def __init__(self, section: CircleSection, view: str) -> None:
        self._section, self._view = section, view
        self._search = search_of(section)
        self.names = ("",)

    def locate(self, pixels: UInt8Array) -> Located:
        """Return the frame with the square around its well; see `RegionFinder.locate`.

        Raises: Refusal, also with BAD_FRAME where the square leaves the frame by more than a fourteenth.
        """
        section = self._section
        self._check_size(pixels.shape[1], pixels.shape[0])
        found = self._search.find(pixels)
        expected = f"expected a well of radius {section.radius:g} px around {section.x:g}, {section.y:g}"
        if found is None:
            raise Refusal(Reason.REGION_NOT_FOUND, f"{expected}; got none")
        moved = math.hypot(found.x - section.x, found.y - section.y)
        allowed = section.tolerance * section.radius
        if moved > allowed or abs(found.radius - section.radius) > allowed:
            got = f"got radius {found.radius:.1f} px around {found.x:.1f}, {found.y:.1f}"
            raise Refusal(Reason.MOVED, f"{expected}, each within {allowed:g} px; {got}")
        box, coverage = self._square(found, pixels.shape[1], pixels.shape[0])
        return Located(pixels, (Site("", {self._view: box}, coverage),))

    def _check_size(self, width: int, height: int) -> None:
        """Refuse frames in which the well cannot be where it is expected: they are of another size."""
        section = self._section
        least = (1 - section.tolerance) * section.radius
        if section.x + least > width or section.y + least > height:
            raise Refusal(
                Reason.BAD_FRAME,
                f"expected a frame that holds a well of radius {section.radius:g} px around {section.x:g}, "
                f"{section.y:g}; got a frame of {width}x{height}",
            )

    def _square(self, found: Circle, width: int, height: int) -> tuple[Box, float]:
        """Return the square within the frame, pixels, and the share of the one around the well that it
        shows."""
        edge = max(1, round(2 * self._section.margin * found.radius))
        x, y = round(found.x - edge / 2), round(found.y - edge / 2)
        left, top = min(max(x, 0), width - edge), min(max(y, 0), height - edge)
        shift = max(abs(left - x), abs(top - y))
        if left < 0 or top < 0 or shift > _MOST_SHIFT * edge:
            raise Refusal(
                Reason.BAD_FRAME,
                f"expected a frame that holds the square of {edge} px around the well, "
                f"x,y = {x},{y}; got {width}x{height}",
            )
        coverage = (edge - abs(left - x)) * (edge - abs(top - y)) / edge**2
        return Box(x=left, y=top, w=edge, h=edge), coverage
