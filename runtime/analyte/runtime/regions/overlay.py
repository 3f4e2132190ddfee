"""What a finder finds in photographs, and a picture of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from analyte.contract.arrays import UInt8Array
from analyte.contract.errors import OutputError
from analyte.contract.imaging import read_image
from analyte.contract.output import from_os_error
from analyte.contract.reading import Reason
from analyte.runtime.refusal import Refusal
from analyte.runtime.regions.protocol import RegionFinder, Site
from analyte.runtime.sources.names import display_name

_WIDTH_PX = 960
_GREEN, _RED = (80, 200, 60), (60, 60, 230)
_MOST_PICTURES = 12


@dataclass(frozen=True, slots=True)
class Found:
    """One photograph and its regions, or why there are none."""

    name: str
    pixels: UInt8Array
    """uint8 ``[H, W, 3]``, BGR: the photograph, or its rectified copy that the boxes refer to."""
    sites: tuple[Site, ...]
    """Empty where nothing was found."""
    reason: str = ""
    detail: str = ""
    """What was expected and got; empty where all was found."""


def find_in(finder: RegionFinder, path: Path) -> Found:
    """Look for the regions of a finder in one photograph. Raises: ImageError when it cannot be read."""
    pixels = read_image(path)
    try:
        located = finder.locate(pixels)
    except Refusal as refusal:
        return Found(display_name(path), pixels, (), str(refusal.reason), refusal.detail)
    height, width = located.pixels.shape[:2]
    outside = [
        f"{site.name or view} at {box}"
        for site in located.sites
        for view, box in site.boxes.items()
        if box.x + box.w > width or box.y + box.h > height
    ]
    if outside:
        detail = f"expected regions within {width}x{height}; got {', '.join(outside[:4])}"
        return Found(display_name(path), located.pixels.copy(), (), str(Reason.BAD_FRAME), detail)
    # A copy: the next photograph is rectified into the same buffer.
    return Found(display_name(path), located.pixels.copy(), located.sites)


def write_overlay(found: Sequence[Found], path: Path) -> None:
    """Draw regions into the photographs, one below the other, and write them as PNG. Raises: OutputError."""
    drawn = [_drawn(one) for one in found[:_MOST_PICTURES]]
    done, data = cv2.imencode(".png", np.concatenate(drawn))
    if not done:
        raise OutputError("the picture cannot be encoded", where=path)
    try:
        path.write_bytes(data.tobytes())
    except OSError as error:
        raise from_os_error(error, path) from error


def _drawn(found: Found) -> UInt8Array:
    scale = _WIDTH_PX / found.pixels.shape[1]
    height = max(1, round(found.pixels.shape[0] * scale))
    picture = cv2.resize(found.pixels, (_WIDTH_PX, height), interpolation=cv2.INTER_AREA)
    for site in found.sites:
        for view, box in site.boxes.items():
            corner = round(box.x * scale), round(box.y * scale)
            opposite = round((box.x + box.w) * scale), round((box.y + box.h) * scale)
            cv2.rectangle(picture, corner, opposite, _GREEN, 2)
            _write(picture, site.name or view, (corner[0] + 4, corner[1] + 16), _GREEN)
    said = f"{found.name}: {found.reason or 'found'}"
    _write(picture, said[-110:], (8, height - 10), _RED if found.detail else _GREEN)
    return np.asarray(picture, np.uint8)


def _write(picture: cv2.typing.MatLike, text: str, at: tuple[int, int], colour: tuple[int, int, int]) -> None:
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA)
