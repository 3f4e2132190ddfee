"""What every way of finding regions is to the pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from analyte.contract.arrays import UInt8Array
from analyte.contract.preprocessing import Box


@dataclass(frozen=True, slots=True)
class Site:
    """Where one reading is made."""

    name: str
    """Of a well, such as ``B7``; empty where a frame gives one reading."""
    boxes: Mapping[str, Box]
    """Region of each view, pixels; a view without one is the whole picture."""
    coverage: float = 1.0
    """Share of what was looked for that lies within the picture, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Located:
    """A frame and where its readings are made."""

    pixels: UInt8Array
    """uint8 ``[H, W, 3]``, BGR: the frame itself, or its rectified copy that the boxes refer to, which lasts
    until the finder locates the next frame."""
    sites: tuple[Site, ...]
    """At least one; the same number and names for every frame."""


class RegionFinder(Protocol):
    """Finds where the readings of a frame are made."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the sites, one per reading that a frame gives."""
        ...

    def locate(self, pixels: UInt8Array) -> Located:
        """Find the sites in a frame, uint8 ``[H, W, 3]``, BGR, which is not altered.

        Raises: `Refusal` with REGION_NOT_FOUND or MOVED.
        """
        ...
