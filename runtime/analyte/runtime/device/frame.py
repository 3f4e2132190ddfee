"""The region and the white patch of a profile, tried on a frame of its camera."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from analyte.contract.arrays import UInt8Array
from analyte.contract.errors import AnalyteError, ProfileError
from analyte.contract.profile import DeviceProfile
from analyte.contract.reading import Reason
from analyte.runtime.device.finding import Finding, missing, ok, refused, warning
from analyte.runtime.refusal import Refusal
from analyte.runtime.regions.protocol import Located
from analyte.runtime.regions.registry import finder_of

_FIX = "analyte region find PHOTO --device PROFILE --picture found.png shows where it is looked for"


def check_frame(
    profile: DeviceProfile, path: Path, pixels: UInt8Array, views: Sequence[str] | None
) -> list[Finding]:
    """Say whether a frame could be measured. ``path``: of the profile; ``views``: of the bundle, if known.

    ``pixels``: uint8 ``[H, W, 3]``, BGR. What no frame of this size can hold is missing; a well that is not
    there, or a lamp that is off, may be there tomorrow and is a warning.
    """
    section = profile.region
    try:
        located = finder_of(section, views or tuple(section.boxes) or ("sample",), where=path).locate(pixels)
    except Refusal as refusal:
        return [_of_refusal("region", refusal)]
    except AnalyteError as error:
        return [refused("region", error)]
    findings = [_region(located)]
    if profile.colour.white is not None:
        findings += _white(profile, path, located.pixels)
    return findings


def _region(located: Located) -> Finding:
    height, width = located.pixels.shape[:2]
    boxes = [(site.name or view, box) for site in located.sites for view, box in site.boxes.items()]
    for name, box in boxes:
        if box.x + box.w > width or box.y + box.h > height:
            said = f"expected regions within {width}x{height}; got {name} at {box}"
            return missing("region", said, _FIX, ProfileError)
    shown = ", ".join(f"{name} at {box}" for name, box in boxes[:4]) or "the whole frame"
    return ok("region", shown if len(boxes) <= 4 else f"{shown} and {len(boxes) - 4} more")


def _white(profile: DeviceProfile, path: Path, pixels: UInt8Array) -> list[Finding]:
    from analyte.runtime.colour.registry import corrector_of

    rectified = profile.region.markers is not None
    try:
        corrector = corrector_of(
            profile.colour, folder=path.absolute().parent, where=path, rectified=rectified
        )
        if corrector is None:
            return []
        # Without a picture to correct, what is left is to measure the patch.
        record = corrector.correct(pixels, [], np.empty((0, 1, 1, 3), np.uint8))
    except Refusal as refusal:
        return [_of_refusal("white patch", refusal)]
    except AnalyteError:
        # The check of the calibration says what is wrong with it.
        return []
    gains = "none" if record.gains is None else "R {:.2f} G {:.2f} B {:.2f}".format(*record.gains)
    return [ok("white patch", f"gains {gains}")]


def _of_refusal(check: str, refusal: Refusal) -> Finding:
    if refusal.reason is Reason.BAD_FRAME:
        return missing(check, refusal.detail, _FIX, ProfileError)
    return warning(check, f"this frame would be refused as {refusal.reason}: {refusal.detail}", _FIX)
