"""Regions that stand in the profile: the camera and what it sees do not move."""

from __future__ import annotations

from collections.abc import Mapping

from analyte.contract.arrays import UInt8Array
from analyte.contract.preprocessing import Box
from analyte.runtime.regions.protocol import Located, Site


class FixedRegions:
    """The same boxes in every frame."""

    def __init__(self, boxes: Mapping[str, Box]) -> None:
        self._sites = (Site("", dict(boxes)),)
        self.names = ("",)

    def locate(self, pixels: UInt8Array) -> Located:
        """Return the frame with the fixed boxes."""
        return Located(pixels, self._sites)
