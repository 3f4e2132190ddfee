"""Figures of photographs, as the pipeline would cut them out."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from analyte.contract.arrays import UInt8Array
from analyte.runtime.quality.collecting import Photograph, collect
from analyte.runtime.regions.protocol import Located, Site
from runtime.tiny_bundles import write_picture


class OneBuffer:
    """Copies every picture into the same one, as a finder that rectifies does."""

    names = ("",)

    def __init__(self) -> None:
        self.picture = np.empty((48, 64, 3), np.uint8)

    def locate(self, pixels: UInt8Array) -> Located:
        self.picture[:] = pixels
        # Focus cannot be told of one colour.
        self.picture[:, ::3] //= 2
        return Located(self.picture, (Site("", {}),))


def test_each_view_is_measured_in_its_own_picture(tmp_path: Path) -> None:
    paths = tuple(write_picture(tmp_path / f"{level}.png", (level, level, level)) for level in (40, 200))
    collected = collect([Photograph("s1", paths, {})], ("reference", "sample"), OneBuffer())
    ((reference, sample),) = collected.figures["exposure"]
    assert sample / reference == 5.0
