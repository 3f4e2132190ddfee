"""What a finder finds in photographs, and a picture of it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from analyte.contract.arrays import UInt8Array
from analyte.contract.errors import OutputError
from analyte.contract.output_file import staged_file
from analyte.contract.reading import Reason
from analyte.contract.sections.camera import CameraSection
from analyte.contract.sections.region import RegionSection
from analyte.runtime.refusal import Refusal
from analyte.runtime.regions.marks import GREEN, RED, draw_marks
from analyte.runtime.regions.protocol import RegionFinder, Site
from analyte.runtime.sources.folder import read_frame
from analyte.runtime.sources.frame_size import sized
from analyte.runtime.sources.protocol import BadFrame

MOST_PICTURES = 12
"""Photographs that are drawn: one below the other, more are no picture any more."""
_WIDTH_PX = 960
_LINE_PX = 20
_LETTERS = 106
"""Of a line of text in the picture."""


@dataclass(frozen=True, slots=True)
class Found:
    """One photograph and its regions, or why there are none."""

    name: str
    pixels: UInt8Array | None
    """uint8 ``[H, W, 3]``, BGR: the photograph, or its rectified copy that the boxes refer to; None where it
    cannot be read, or has another size than the profile demands."""
    sites: tuple[Site, ...]
    """Empty where nothing was found."""
    reason: str = ""
    detail: str = ""
    """What was expected and got; empty where all was found."""
    rectified: bool = False
    """Whether markers were found, so that ``pixels`` is the picture between them."""


def find_in(finder: RegionFinder, path: Path, section: RegionSection, camera: CameraSection) -> Found:
    """Look for the regions of a finder, which was made of ``section``, in one photograph.

    ``camera``: of the profile; a picture of another size than it demands is a bad frame.
    """
    frame = sized(read_frame(path, 0), camera)
    name = frame.name
    if isinstance(frame, BadFrame):
        return Found(name, None, (), str(Reason.BAD_FRAME), frame.error.line())
    pixels = frame.pixels
    try:
        located = finder.locate(pixels)
    except Refusal as refusal:
        return Found(name, pixels, (), str(refusal.reason), refusal.detail)
    # A copy: the next photograph is rectified into the same buffer.
    shown, rectified = located.pixels.copy(), section.markers is not None
    height, width = shown.shape[:2]
    outside = [
        f"{site.name or view} at {box}"
        for site in located.sites
        for view, box in site.boxes.items()
        if box.x + box.w > width or box.y + box.h > height
    ]
    if outside:
        detail = f"expected regions within {width}x{height}; got {', '.join(outside[:4])}"
        return Found(name, shown, (), str(Reason.BAD_FRAME), detail, rectified)
    return Found(name, shown, located.sites, rectified=rectified)


def write_overlay(found: Sequence[Found], section: RegionSection, path: Path, *, overwrite: bool) -> None:
    """Draw what was expected and found into the first photographs, one below the other, as PNG.

    Raises: OutputError.
    """
    drawn = [_drawn(one, one.pixels, section) for one in found if one.pixels is not None][:MOST_PICTURES]
    if not drawn:
        raise OutputError("there is no photograph to draw into", where=path)
    done, data = cv2.imencode(".png", np.concatenate(drawn))
    if not done:
        raise OutputError("the picture cannot be encoded", where=path)
    with staged_file(path, overwrite=overwrite) as file:
        file.write(data.tobytes())


def _drawn(found: Found, pixels: UInt8Array, section: RegionSection) -> UInt8Array:
    scale = _WIDTH_PX / pixels.shape[1]
    height = max(1, round(pixels.shape[0] * scale))
    resized = cv2.resize(pixels, (_WIDTH_PX, height), interpolation=cv2.INTER_AREA)
    picture = np.asarray(resized, np.uint8)
    draw_marks(picture, pixels, section, scale=scale, rectified=found.rectified, found=not found.detail)
    for site in found.sites:
        for view, box in site.boxes.items():
            corner = round(box.x * scale), round(box.y * scale)
            opposite = round((box.x + box.w) * scale), round((box.y + box.h) * scale)
            cv2.rectangle(picture, corner, opposite, GREEN, 2)
            _write(picture, site.name or view, (corner[0] + 4, corner[1] + 16), GREEN)
    said = f"{found.name}: {found.reason or 'found'}"
    lines = [*textwrap.wrap(found.detail, _LETTERS), said[-_LETTERS:]]
    top = max(0, height - _LINE_PX * len(lines) - 6)
    # Dark behind the words: they are to be read on any photograph.
    picture[top:] //= 4
    for at, line in enumerate(lines):
        _write(picture, line, (8, top + _LINE_PX * (at + 1) - 4), RED if found.detail else GREEN)
    return picture


def _write(picture: UInt8Array, text: str, at: tuple[int, int], colour: tuple[int, int, int]) -> None:
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA)
