"""A file of several pictures is refused: which of them is meant cannot be known."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from analyte.contract.errors import ImageError
from analyte.contract.imaging import decode_image
from analyte.contract.picture_sequences import is_sequence

FORMATS = ("PNG", "GIF", "TIFF", "WEBP", "AVIF")


def saved(form: str, pictures: int, **options: object) -> bytes:
    frames = [Image.fromarray(np.full((16, 20, 3), 40 * n, np.uint8)) for n in range(1, pictures + 1)]
    buffer = io.BytesIO()
    several = {"save_all": True, "append_images": frames[1:]} if pictures > 1 else {}
    frames[0].save(buffer, form, **several, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("form", FORMATS)
def test_one_picture_is_read_and_several_are_refused(form: str) -> None:
    assert decode_image(saved(form, 1), where="p").shape == (16, 20, 3)
    with pytest.raises(ImageError, match=r"p: the file holds several pictures.*expected one picture"):
        decode_image(saved(form, 3), where="p")


def test_big_tiff() -> None:
    assert is_sequence(saved("TIFF", 2, big_tiff=True))
    assert not is_sequence(saved("TIFF", 1, big_tiff=True))


def test_a_tiff_of_the_other_byte_order() -> None:
    for after, several in ((0, True), (1, True), (0, False)):
        ifd = struct.pack(">H", after) + b"\0" * 12 * after + struct.pack(">I", 99 if several else 0)
        assert is_sequence(b"MM\0*" + struct.pack(">I", 8) + ifd) is several


def test_a_png_that_announces_one_frame_is_one_picture() -> None:
    data = saved("PNG", 1)
    control = b"acTL" + struct.pack(">II", 1, 0)
    chunk = struct.pack(">I", 8) + control + struct.pack(">I", zlib.crc32(control))
    assert not is_sequence(data[:33] + chunk + data[33:])


@settings(max_examples=300)
@given(st.sampled_from(FORMATS), st.integers(0, 2**16), st.integers(0, 255))
def test_damage_gives_an_answer(form: str, position: int, byte: int) -> None:
    data = bytearray(saved(form, 2))
    data[position % len(data)] = byte
    assert is_sequence(bytes(data)) in (True, False)
    assert is_sequence(bytes(data[: position % len(data)])) in (True, False)
