"""The wells of a plate: a grid that stands in the profile, one reading for each."""

from __future__ import annotations

from analyte.contract.arrays import UInt8Array
from analyte.contract.preprocessing import Box
from analyte.contract.reading import Reason
from analyte.contract.sections.region import WellsSection
from analyte.runtime.refusal import Refusal
from analyte.runtime.regions.protocol import Located, Site


class WellRegions:
    """The same squares in every frame, by the names of the wells."""

    def __init__(self, section: WellsSection, view: str) -> None:
        half = section.size / 2
        self._sites = tuple(
            Site(name, {view: Box(x=round(x - half), y=round(y - half), w=section.size, h=section.size)})
            for name, (x, y) in section.centres().items()
        )
        self.names = tuple(site.name for site in self._sites)
        boxes = [(site.name, site.boxes[view]) for site in self._sites]
        # The grid is a parallelogram: where these two fit, all do.
        self._rightmost = max(boxes, key=lambda named: named[1].x)
        self._lowest = max(boxes, key=lambda named: named[1].y)

    def locate(self, pixels: UInt8Array) -> Located:
        """Return the frame with its wells. Raises: Refusal with BAD_FRAME where one leaves the frame."""
        height, width = pixels.shape[:2]
        for name, box in (self._rightmost, self._lowest):
            if box.x + box.w > width or box.y + box.h > height:
                raise Refusal(
                    Reason.BAD_FRAME,
                    f"expected a frame that holds well {name}, x,y,w,h = {box}; got {width}x{height}",
                )
        return Located(pixels, self._sites)
