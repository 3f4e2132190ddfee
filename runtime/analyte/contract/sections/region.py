"""``[region]``: where in the frame each view lies, or how it is found."""

from __future__ import annotations

import string
from typing import Self

from pydantic import Field, model_validator

from analyte.contract.label import Finite
from analyte.contract.preprocessing import Box
from analyte.contract.sections.base import Section


class CircleSection(Section):
    """A round well that is searched for near where it should be. For bundles of one view."""

    x: Finite = Field(ge=0)
    """Expected centre from the left edge, pixels."""
    y: Finite = Field(ge=0)
    """Expected centre from the top edge, pixels."""
    radius: Finite = Field(ge=16, le=8192)
    """Expected inner radius of the well, pixels: below 16 its wall is about one pixel wide, and the
    well is not to be told from it."""
    tolerance: Finite = Field(default=0.25, gt=0, le=1)
    """How far the centre may have moved, and by how much the radius may differ, in radii; more is
    refused as moved. Half the radius is the smallest that is found."""
    margin: Finite = Field(default=1.35, ge=0.5, le=3)
    """Half the edge of the square that is cut out, in radii of the circle that was found."""


class MarkerSection(Section):
    """Four ArUco markers on the instrument; everything between them is rectified by a homography."""

    dictionary: str = "4X4_50"
    """OpenCV's name of the dictionary without ``DICT_``."""
    ids: tuple[int, int, int, int]
    """Markers at the top left, top right, bottom right and bottom left of the rectified picture."""
    width: int = Field(gt=0, le=8192)
    """Of the rectified picture, from the centre of the left markers to that of the right ones,
    pixels."""
    height: int = Field(gt=0, le=8192)
    """Of the rectified picture, from the centre of the upper markers to that of the lower ones,
    pixels."""
    expected: tuple[tuple[Finite, Finite], ...] | None = None
    """Where the four centres should be in the frame, x and y in pixels; None lets them be anywhere."""
    tolerance_px: Finite | None = Field(default=None, gt=0)
    """How far a centre may lie from where it is ``expected``, pixels; more is refused as moved. 20 where it
    is left out."""

    @model_validator(mode="after")
    def _four_of_each(self) -> Self:
        if len(set(self.ids)) != 4 or min(self.ids) < 0:
            raise ValueError(f"ids must be four different markers from 0, got {list(self.ids)}")
        if self.expected is not None and len(self.expected) != 4:
            raise ValueError(f"expected must hold four centres, got {len(self.expected)}")
        if self.expected is None and self.tolerance_px is not None:
            raise ValueError("tolerance_px needs expected, the four centres that it is counted from")
        return self

    @property
    def allowed_px(self) -> float:
        """How far a centre may lie from where it is expected, pixels."""
        return 20.0 if self.tolerance_px is None else self.tolerance_px


class WellsSection(Section):
    """The wells of a plate as a grid: one reading each, named A1, A2, … as on the plate."""

    rows: int = Field(ge=1, le=len(string.ascii_uppercase))
    columns: int = Field(ge=1, le=48)
    first: tuple[Finite, Finite]
    """Centre of well A1, x and y in pixels."""
    last: tuple[Finite, Finite]
    """Centre of the well in the last row and column, x and y in pixels."""
    top_right: tuple[Finite, Finite] | None = None
    """Centre of the last well of row A, x and y in pixels, where the plate lies turned; None: rows are
    level."""
    size: int = Field(gt=0, le=8192)
    """Edge of the square that is cut out around each centre, pixels."""

    def centres(self) -> dict[str, tuple[float, float]]:
        """Return the centres by name, row by row, x and y in pixels."""
        (x, y), (end_x, end_y) = self.first, self.last
        # One row or one column needs no third corner: it runs from the first well to the last.
        level = self.last if self.rows == 1 else self.first if self.columns == 1 else (end_x, y)
        corner_x, corner_y = self.top_right or level
        across, down = max(1, self.columns - 1), max(1, self.rows - 1)
        return {
            f"{string.ascii_uppercase[row]}{column + 1}": (
                x + (corner_x - x) * column / across + (end_x - corner_x) * row / down,
                y + (corner_y - y) * column / across + (end_y - corner_y) * row / down,
            )
            for row in range(self.rows)
            for column in range(self.columns)
        }

    @model_validator(mode="after")
    def _is_a_plate(self) -> Self:
        if self.top_right is not None and 1 in (self.rows, self.columns):
            raise ValueError("top_right needs several rows and columns: first and last say where one lies")
        if self.rows * self.columns == 1 and self.first != self.last:
            raise ValueError(f"one well has one centre: expected last = {list(self.first)}")
        centres = self.centres()
        for name, (x, y) in centres.items():
            if min(x, y) < self.size / 2:
                raise ValueError(
                    f"the square around well {name} leaves the frame: expected a centre at "
                    f"{self.size / 2:g} px or more, got {x:g}, {y:g}"
                )
        x, y = centres["A1"]
        right, below = centres.get("A2", (x + self.size, y)), centres.get("B1", (x, y + self.size))
        # What a row and a column span together: less is one line of wells, and below 0 a mirrored plate.
        spanned = (right[0] - x) * (below[1] - y) - (right[1] - y) * (below[0] - x)
        least = self.size / 2
        if right[0] - x < least or below[1] - y < least or spanned < least**2:
            raise ValueError(
                "wells lie on each other: expected columns to the right and rows below, "
                f"{self.size / 2:g} px or more apart (half of size), got A2 at {right[0]:g}, {right[1]:g} "
                f"and B1 at {below[0]:g}, {below[1]:g} for A1 at {x:g}, {y:g}"
            )
        return self


class RegionSection(Section):
    """At most one of ``boxes``, ``circle`` and ``wells``; none means the whole frame.

    With ``markers``, pixels of the others are those of the rectified picture.
    """

    boxes: dict[str, Box] = Field(default_factory=dict)
    """Fixed region of each view, pixels."""
    circle: CircleSection | None = None
    markers: MarkerSection | None = None
    wells: WellsSection | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        given = [name for name in ("boxes", "circle", "wells") if getattr(self, name)]
        if len(given) > 1:
            raise ValueError(f"expected one of boxes, circle and wells, got {' and '.join(given)}")
        return self

    @model_validator(mode="after")
    def _within_the_markers(self) -> Self:
        if self.markers is None:
            return self
        size = (self.markers.width, self.markers.height)
        ends: dict[str, tuple[float, float]] = {
            f"boxes.{view}": (box.x + box.w, box.y + box.h) for view, box in self.boxes.items()
        }
        if self.circle is not None:
            ends["circle"] = (self.circle.x, self.circle.y)
        if self.wells is not None:
            half = self.wells.size / 2
            ends |= {f"wells {name}": (x + half, y + half) for name, (x, y) in self.wells.centres().items()}
        for name, (right, bottom) in ends.items():
            if right > size[0] or bottom > size[1]:
                raise ValueError(
                    f"{name} leaves the rectified picture of markers: expected within "
                    f"{size[0]}x{size[1]}, got it to reach {right:g}, {bottom:g}"
                )
        return self
