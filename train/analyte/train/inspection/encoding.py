"""Checks of how pictures were saved: files that hold less than the camera gave, and say nothing of it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from analyte.train.inspection.finding import Finding, count
from analyte.train.inspection.inspection import Inspection, finding

_HEADER = 32
_PNG, _GIF = b"\x89PNG\r\n\x1a\n", (b"GIF87a", b"GIF89a")
_PNG_COLOUR_TYPE, _PALETTE = 25, 3
"""Byte of a PNG at which IHDR has the colour type, and its value for indexed colour (ISO/IEC 15948, 11.2)."""
_USED_BITS = (10, 12, 14)
"""Bits of cameras whose pictures are saved with 16."""
_DIM = 64
"""Level of 8 bits below which a picture with 14 bits of 16 lies."""


def check_encoding(inspection: Inspection) -> list[Finding]:
    """16-bit files that hold 10, 12 or 14 bits, and pictures with a palette of at most 256 colours."""
    return [*_depth(inspection), *_palette(inspection)]


def _depth(inspection: Inspection) -> list[Finding]:
    survey = inspection.survey
    files = {
        view.path
        for sample, peaks, usable in zip(inspection.samples, survey.peak, survey.usable, strict=True)
        for view, peak in zip(sample.views, peaks, strict=True)
        if usable and peak < _DIM
    }
    bits = {path: found for path in sorted(files) if (found := _bits_used(path)) is not None}
    if not bits:
        return []
    most = max(bits.values())
    return [
        finding(
            "unused-bits",
            "warning",
            f"{count(len(bits), 'picture')} of 16 bits whose values all lie below {2**most} ({most} bits): "
            f"full scale is taken to be 65535, so that {2 ** (most - 8)} of 256 levels of brightness are "
            "left",
            f"Save them with {most} bits scaled to 16 (times {2 ** (16 - most)}), and set the camera so for "
            "readings too; or save 8 bits",
            at=inspection.where(_concerned(inspection, lambda path: path in bits)),
        )
    ]


def _bits_used(path: Path) -> int | None:
    """Return how many of 16 bits a picture fills, where that is what a camera gives; None where it is not."""
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        return None
    brightest = int(pixels[..., :3].max() if pixels.ndim == 3 else pixels.max())
    return next((bits for bits in _USED_BITS if 256 <= brightest < 2**bits), None)


def _palette(inspection: Inspection) -> list[Finding]:
    indexed = functools.cache(_has_palette)
    concerned = _concerned(inspection, indexed)
    if not concerned.any():
        return []
    files = {view.path for sample in inspection.samples for view in sample.views if indexed(view.path)}
    return [
        finding(
            "palette-picture",
            "warning",
            f"{count(len(files), 'picture')} with a palette (GIF, or PNG of indexed colours): at most 256 "
            "colours, to which those of the camera were rounded; of an animation the first picture is read",
            "Take the camera's own files, or export them again as PNG or TIFF in true colour (24 bits)",
            at=inspection.where(concerned),
        )
    ]


def _has_palette(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(_HEADER)
    except OSError:
        return False
    if head.startswith(_GIF):
        return True
    return head.startswith(_PNG) and len(head) == _HEADER and head[_PNG_COLOUR_TYPE] == _PALETTE


def _concerned(inspection: Inspection, test: Callable[[Path], bool]) -> npt.NDArray[np.bool_]:
    """Return which samples have a view whose file passes ``test``, ``[N]``."""
    found = [any(test(view.path) for view in sample.views) for sample in inspection.samples]
    return np.asarray(found, np.bool_)
