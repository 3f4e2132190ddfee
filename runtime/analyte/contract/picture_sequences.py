"""Whether a file holds several pictures: a decoder gives the first and says nothing of the rest.

Read from the structure of the file, without decoding: TIFF 6.0, section 2 (and BigTIFF); PNG, third
edition, section 11.3.2 (acTL); WebP container specification, extended format; GIF89a, section 12; ISO/IEC
23000-22 (avis).
"""

from __future__ import annotations

import struct

_TIFF = {b"II*\0": ("<", False), b"MM\0*": (">", False), b"II+\0": ("<", True), b"MM\0+": (">", True)}
"""Byte order, and whether offsets have 64 bits."""
_WEBP_ANIMATED = 0x02


def is_sequence(data: bytes) -> bool:
    """Whether a TIFF has further pages, or a PNG, WebP, GIF or AVIF is animated. Damaged files are none."""
    try:
        if data[:4] in _TIFF:
            return _tiff_has_pages(data)
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return _png_is_animated(data)
        if data.startswith((b"GIF87a", b"GIF89a")):
            return _gif_has_frames(data)
        if data[:4] == b"RIFF" and data[8:16] == b"WEBPVP8X":
            return bool(data[20] & _WEBP_ANIMATED)
        return data[4:12] == b"ftypavis"
    except (struct.error, IndexError):
        return False


def _tiff_has_pages(data: bytes) -> bool:
    order, big = _TIFF[data[:4]]
    offset, count, entry = ("Q", "Q", 20) if big else ("I", "H", 12)
    (first,) = struct.unpack_from(order + offset, data, 8 if big else 4)
    (entries,) = struct.unpack_from(order + count, data, first)
    after = first + struct.calcsize(order + count) + entries * entry
    return bool(struct.unpack_from(order + offset, data, after)[0])


def _png_is_animated(data: bytes) -> bool:
    position = 8
    while True:
        length, name = struct.unpack_from(">I4s", data, position)
        if name in (b"acTL", b"IDAT"):
            return bool(name == b"acTL" and struct.unpack_from(">I", data, position + 8)[0] > 1)
        position += 12 + length


def _gif_has_frames(data: bytes) -> bool:
    position, frames = 13 + _gif_colours(data[10]), 0
    while data[position] != 0x3B:  # trailer
        if data[position] == 0x2C:  # image descriptor; its table, then the least code size
            frames += 1
            position += 11 + _gif_colours(data[position + 9])
        elif data[position] == 0x21:  # extension
            position += 2
        else:
            return False
        while data[position]:  # sub-blocks
            position += 1 + data[position]
        position += 1
        if frames > 1:
            return True
    return False


def _gif_colours(flags: int) -> int:
    """Return the bytes of a colour table, which the flags announce."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0
