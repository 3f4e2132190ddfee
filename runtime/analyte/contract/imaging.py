"""From image bytes to pixels: the one decoder that training, export and the device share."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from analyte.contract.arrays import UInt8Array
from analyte.contract.errors import ImageError
from analyte.contract.picture_sequences import is_sequence

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})

_UPRIGHT = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH
"""Keeps the depth and turns the picture as EXIF says, but drops alpha without a word."""

_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""Ends the entropy-coded data of a JPEG scan: neither a stuffed byte, a restart nor a fill byte."""


def read_image(path: Path) -> UInt8Array:
    """Read a photograph.

    Returns: uint8 ``[H, W, 3]``, BGR, 0 to 255, upright: EXIF orientation is applied.
    Grey images are repeated over the channels, 16-bit images scaled by 1/257 and rounded.
    Raises: ImageError when the file is missing, damaged, holds several pictures, or has transparent pixels.
    """
    try:
        if not (stat.S_ISREG(mode := path.stat().st_mode) or stat.S_ISDIR(mode)):
            raise ImageError("not a regular file", where=path)
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(error.strerror or "cannot be read", where=path) from error
    return decode_image(data, where=path)


def decode_image(data: bytes, *, where: object) -> UInt8Array:
    """Decode image bytes as `read_image` does; ``where`` names the source in errors."""
    if not data:
        raise ImageError("the file is empty", where=where, expected="an image")
    is_jpeg = data.startswith(b"\xff\xd8")
    if is_jpeg and not _jpeg_is_complete(data):
        # libjpeg fills what is missing with grey and says so on stderr only: a wrong number, silently.
        raise ImageError(
            "the JPEG is cut short or damaged", where=where, fix="Copy or take the picture again"
        )
    if is_jpeg:
        return _decode(data, _UPRIGHT, where)
    if is_sequence(data):
        raise ImageError(
            "the file holds several pictures, and which one is meant is not said",
            where=where,
            expected="one picture",
            fix="Save the one to be measured as a file of its own",
        )
    # IMREAD_UNCHANGED is the only mode that keeps alpha, and the only one that ignores EXIF orientation.
    pixels = _decode(data, cv2.IMREAD_UNCHANGED, where)
    has_exif = b"eXIf" in data or b"EXIF" in data  # as PNG and WebP name the chunk
    return _decode(data, _UPRIGHT, where) if has_exif else pixels


def _decode(data: bytes, mode: int, where: object) -> UInt8Array:
    try:
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), mode)
    except cv2.error as error:
        if "CV_IO_MAX_IMAGE" in error.err:  # of width, height or pixels
            raise ImageError(
                "the picture states a size that no camera has, or is damaged",
                where=where,
                expected=f"at most {1 << 20} pixels each way and {1 << 30} in all",
            ) from error
        raise ImageError("the picture cannot be decoded", where=where, got=error.err) from error
    if decoded is None:
        raise ImageError("not a readable picture", where=where, expected="PNG, JPEG, TIFF, BMP or WebP")
    return to_bgr8(np.asarray(decoded), where=where)


def to_bgr8(pixels: npt.NDArray[np.generic], *, where: object) -> UInt8Array:
    """Bring decoded pixels of any supported layout to uint8 ``[H, W, 3]`` BGR.

    ``pixels``: uint8 or uint16, ``[H, W]``, ``[H, W, 1]``, ``[H, W, 3]`` or ``[H, W, 4]``.
    Raises: ImageError for other depths or layouts, and for pixels that are not opaque.
    """
    if pixels.dtype == np.uint16:
        # 65535 = 255 * 257: full scale maps to full scale, as PNG's own specification does it.
        depth8 = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    elif pixels.dtype == np.uint8:
        depth8 = pixels.astype(np.uint8, copy=False)
    else:
        raise ImageError("unsupported depth", where=where, expected="8 or 16 bits", got=pixels.dtype)
    if depth8.ndim == 2:
        depth8 = depth8[:, :, np.newaxis]
    if depth8.ndim != 3 or depth8.shape[2] not in (1, 3, 4) or 0 in depth8.shape:
        raise ImageError("unsupported layout", where=where, expected="grey, BGR or BGRA", got=pixels.shape)
    if depth8.shape[2] == 4:
        if int(depth8[:, :, 3].min()) < 255:
            raise ImageError(
                "the picture has transparent pixels, whose colour is undefined",
                where=where,
                fix="Save it without transparency",
            )
        depth8 = depth8[:, :, :3]
    elif depth8.shape[2] == 1:
        depth8 = np.repeat(depth8, 3, axis=2)
    return np.ascontiguousarray(depth8)


def _jpeg_is_complete(data: bytes) -> bool:
    """Whether a JPEG's segments and scans lead to its end-of-image marker (ITU-T T.81, annex B).

    Walking them skips the end marker of a thumbnail inside EXIF, and that of a picture appended to this one.
    """
    position, scanned = 2, False
    while position + 2 <= len(data):
        if data[position] != 0xFF:
            return False
        marker = data[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        if marker == 0xD9:  # end of image
            return scanned
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        position += 2 + length
        if length < 2 or marker == 0xD8:  # no segment: another picture starts before this one has ended
            return False
        if marker == 0xDA:  # start of scan: entropy-coded data follow
            end = _MARKER.search(data, position)
            if end is None:
                return False
            position, scanned = end.start(), True
    return False
