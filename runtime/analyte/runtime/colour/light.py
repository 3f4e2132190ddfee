"""What a camera shows without light, of an even field, and of the white reference patch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from analyte.contract.arrays import Float32Array, Float64Array, UInt8Array
from analyte.contract.colour_calibration import Maps
from analyte.contract.errors import ImageError
from analyte.contract.imaging import read_image
from analyte.contract.preprocessing import Box
from analyte.contract.reading import Reason
from analyte.runtime.colour.srgb import to_linear
from analyte.runtime.refusal import Refusal

_CELLS = 4
"""The patch is looked at in 4 x 4 cells: what covers a part of it shows in some, noise in none."""
_MOST_UNEVEN = 0.15
"""Spread of the cells, relative to their mean."""
_CLIPPED = 253
_MOST_CLIPPED_SHARE = 0.01
_DARKEST = 0.02
"""Least linear light of each channel of the patch, 0 to 1: below, 8 bits resolve worse than 1 %."""
_SMALLEST_PX = 4
_BRIGHTEST_DARK = 0.05
_FLAT_RANGE = (0.05, 0.95)
_FLAT_FALL = 0.2
"""Least light of a flat field relative to its mean: less is something in the way."""
_FLAT_ROUGHNESS = 0.05
"""Largest distance from a smooth surface: synthetic fields of lens and lamp, dust on them, stay below 0.03,
photographs of anything, a reader's paper strip the smoothest, begin at 0.067 (docs/colour.md)."""
_FLAT_DEGREE = 6
_FLAT_GRID = 48
"""Points along the longer edge at which a field is compared with the surface."""
_FLAT_BLUR = 0.01
"""Of the frame's longer edge: removes the noise of the flat field, keeps what the lens does."""


def white_light(frame: UInt8Array, box: Box, maps: Maps) -> Float64Array:
    """Return the mean linear light of the white patch, float64 ``[3]``, R, G, B, dark and flat taken
    out.

    ``frame``: uint8 ``[H, W, 3]``, BGR. Raises: `Refusal` with COLOUR, with what was expected and got.
    """
    height, width = frame.shape[:2]
    if box.x + box.w > width or box.y + box.h > height:
        raise _refused(f"it lies outside the frame: expected within {width}x{height}; got {box}")
    if min(box.w, box.h) < _SMALLEST_PX:
        raise _refused(f"expected at least {_SMALLEST_PX} pixels each way; got {box.w}x{box.h}")
    rows, columns = slice(box.y, box.y + box.h), slice(box.x, box.x + box.w)
    patch = frame[rows, columns]
    whole = cv2.countNonZero(cv2.inRange(patch, (0, 0, 0), (_CLIPPED - 1,) * 3))
    clipped = 1.0 - whole / (box.w * box.h)
    if clipped > _MOST_CLIPPED_SHARE:
        raise _refused(
            f"it is clipped: expected at most {100 * _MOST_CLIPPED_SHARE:g} % of its pixels at "
            f"{_CLIPPED} and "
            f"above; got {100 * clipped:.0f} %"
        )
    light = to_linear(patch)[..., ::-1]
    if maps.dark is not None:
        light = light - maps.dark[rows, columns]
    if maps.gain is not None:
        light = light * maps.gain[rows, columns]
    resized = cv2.resize(np.ascontiguousarray(light), (_CELLS, _CELLS), interpolation=cv2.INTER_AREA)
    cells = np.asarray(resized, np.float64).reshape(-1, 3)
    mean = cells.mean(axis=0)
    if float(mean.min()) < _DARKEST:
        shown = ", ".join(f"{v:.3f}" for v in mean)
        raise _refused(f"it is too dark: expected linear light of at least {_DARKEST:g}; got {shown}")
    spread = float(((cells.max(axis=0) - cells.min(axis=0)) / mean).max())
    if spread > _MOST_UNEVEN:
        raise _refused(
            f"it is uneven, or covered in part: expected a spread of at most {100 * _MOST_UNEVEN:g} %; "
            f"got {100 * spread:.0f} %"
        )
    return np.asarray(mean, np.float64)


def field_maps(dark: Sequence[Path], flat: Sequence[Path]) -> Maps | None:
    """Return the maps of dark and flat-field frames, the median of each kind; None where there are none.

    Raises: ImageError for a dark frame that is light, a flat one that is clipped, dark, uneven or shows
    something, and for frames of different sizes.
    """
    black = _median(dark, None)
    if black is not None and float(black.mean()) > _BRIGHTEST_DARK:
        raise ImageError(
            "the dark frames are not dark",
            where=dark[0],
            expected=f"mean linear light of at most {_BRIGHTEST_DARK:g}",
            got=f"{black.mean():.3f}",
            fix="Take them with the lens covered",
        )
    even = _median(flat, None if black is None else black.shape)
    if even is None:
        return None if black is None else Maps(black, None)
    low, high = _FLAT_RANGE
    if black is not None:
        even = even - black
    edge = max(even.shape[:2])
    even = np.asarray(cv2.GaussianBlur(even, (0, 0), max(_FLAT_BLUR * edge, 0.5)), np.float32)
    mean = even.mean(axis=(0, 1))
    least = float((even / np.maximum(mean, 1e-6)).min())
    if float(mean.min()) < low or float(even.max()) > high or least < _FLAT_FALL:
        raise ImageError(
            "the flat-field frames are no evenly lit white surface",
            where=flat[0],
            expected=f"mean linear light from {low:g}, at most {high:g} anywhere, at least "
            f"{_FLAT_FALL:g} of the "
            "mean anywhere",
            got=f"mean {mean.min():.3f}, most {even.max():.3f}, least {least:.2f} of the mean",
            fix="Photograph a white sheet that fills the frame, sharply exposed and not clipped",
        )
    rough = roughness(even)
    if rough > _FLAT_ROUGHNESS:
        raise ImageError(
            "the flat-field frames show more than a lens and a lamp do to an even field",
            where=flat[0],
            expected=f"within {_FLAT_ROUGHNESS:g} of a smooth surface anywhere",
            got=f"{rough:.2f}",
            fix="Photograph a clean white sheet, without a well, that fills the frame",
        )
    return Maps(black, np.asarray(mean / even, np.float32))


def roughness(even: Float32Array) -> float:
    """Return how far a field, linear light float32 ``[H, W, 3]``, lies from a smooth surface at most.

    Natural logarithm, so nearly a share of the light: 0.05 is 5 %. The surface is a polynomial of degree 6
    in x and y, fitted to the logarithms by least squares: fall-off of a lens and a lamp to one side are
    smooth, the edge of a well is not.
    """
    height, width = even.shape[:2]
    scale = _FLAT_GRID / max(height, width)
    size = max(8, round(width * scale)), max(8, round(height * scale))
    small = cv2.resize(even, size, interpolation=cv2.INTER_AREA)
    levels = np.log(np.maximum(np.asarray(small, np.float64), 1e-4)).reshape(-1, 3)
    y, x = (axis.ravel() for axis in np.mgrid[-1 : 1 : size[1] * 1j, -1 : 1 : size[0] * 1j])
    powers = [(a, b) for a in range(_FLAT_DEGREE + 1) for b in range(_FLAT_DEGREE + 1 - a)]
    surface = np.stack([x**a * y**b for a, b in powers], axis=1)
    fitted = surface @ np.linalg.lstsq(surface, levels, rcond=None)[0]
    return float(np.abs(levels - fitted).max())


def corrected_light(frame: UInt8Array, maps: Maps) -> Float32Array:
    """Return linear light, float32 ``[H, W, 3]``, R, G, B, of a BGR frame, dark and flat field taken
    out."""
    light = to_linear(np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8))
    if maps.dark is not None:
        light -= maps.dark
    if maps.gain is not None:
        light *= maps.gain
    return light


def _median(files: Sequence[Path], shape: tuple[int, ...] | None) -> Float32Array | None:
    if not files:
        return None
    frames = []
    for file in files:
        frame = read_image(file)
        shape = shape or frame.shape
        if frame.shape != shape:
            raise ImageError(
                "frames of different sizes",
                where=file,
                expected=f"{shape[1]}x{shape[0]}",
                got=f"{frame.shape[1]}x{frame.shape[0]}",
            )
        frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
    # The median of signals is the signal of the median: decoding keeps order. An even number is
    # averaged.
    signals = np.median(np.stack(frames), axis=0)
    low = np.floor(signals).astype(np.uint8)
    high = np.ceil(signals).astype(np.uint8)
    return np.asarray((to_linear(low) + to_linear(high)) / 2.0, np.float32)


def _refused(what: str) -> Refusal:
    return Refusal(Reason.COLOUR, f"white patch: {what}")
