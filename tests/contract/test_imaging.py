"""The decoder: right pixels or an ImageError, never a picture that is not the one in the file."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyte.contract.arrays import UInt8Array
from analyte.contract.errors import ImageError
from analyte.contract.imaging import decode_image, read_image, to_bgr8
from contract.datasets import assert_one_line

LOSSLESS = (".png", ".tif", ".bmp")


def scene(height: int = 24, width: int = 40) -> UInt8Array:
    """A picture that no turn and no flip leaves as it is; dark at the left, red at the bottom."""
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = np.linspace(0, 255, width).astype(np.uint8)
    image[..., 2] = np.linspace(0, 255, height).astype(np.uint8)[:, np.newaxis]
    return image


def encode(image: npt.NDArray[Any], suffix: str) -> bytes:
    ok, data = cv2.imencode(suffix, image)
    assert ok
    return data.tobytes()


def decode(data: bytes) -> UInt8Array:
    return decode_image(data, where="p.png")


def refused(data: bytes, *parts: str) -> None:
    with pytest.raises(ImageError) as caught:
        decode(data)
    assert_one_line(caught.value, 3, "p.png: ", *parts)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_of(width: int, height: int, colour: int = 2, rows: bytes = b"", extra: bytes = b"") -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + header + extra + pixels + chunk(b"IEND", b"")


def exif(orientation: int, thumbnail: bytes = b"") -> bytes:
    """TIFF structure with one tag, then a thumbnail that no tag names."""
    return struct.pack("<2sHIHHHIHHI", b"II", 42, 8, 1, 0x0112, 3, 1, orientation, 0, 0) + thumbnail


def jpeg_with_exif(image: UInt8Array, orientation: int = 1, thumbnail: bytes = b"") -> bytes:
    data = encode(image, ".jpg")
    body = b"Exif\0\0" + exif(orientation, thumbnail)
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_pixels_come_back(suffix: str) -> None:
    assert (decode(encode(scene(), suffix)) == scene()).all()


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_lossy_formats_come_close(suffix: str) -> None:
    image = decode(encode(scene(), suffix))
    assert image.shape == scene().shape
    assert np.abs(image.astype(int) - scene()).mean() < 4


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_grey_is_repeated(suffix: str) -> None:
    grey = scene()[..., 0]
    assert (decode(encode(grey, suffix)) == grey[..., np.newaxis]).all()


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits(suffix: str) -> None:
    deep = scene().astype(np.uint16) * 257
    assert (decode(encode(deep, suffix)) == scene()).all()


def test_opaque_alpha_is_dropped() -> None:
    assert (decode(encode(np.dstack([scene(), np.full((24, 40), 255, np.uint8)]), ".png")) == scene()).all()


@pytest.mark.parametrize("alpha", [0, 128, 254])
def test_one_transparent_pixel_is_refused(alpha: int) -> None:
    image = np.dstack([scene(), np.full((24, 40), 255, np.uint8)])
    image[3, 4, 3] = alpha
    refused(encode(image, ".png"), "transparent", "Save it without transparency")


@pytest.mark.parametrize("colour", [4, 6])
def test_transparency_of_grey_and_colour(colour: int) -> None:
    opaque = (b"\x50\xff" if colour == 4 else b"\x50\x50\x50\xff") * 2
    assert (decode(png_of(2, 1, colour, b"\0" + opaque)) == 0x50).all()
    refused(png_of(2, 1, colour, b"\0" + opaque.replace(b"\xff", b"\x64")), "transparent")


def test_transparent_colour_of_a_picture_without_alpha() -> None:
    key = chunk(b"tRNS", struct.pack(">HHH", 1, 2, 3))
    refused(png_of(2, 1, 2, b"\0\1\2\3\4\5\6", key), "transparent")


def test_a_size_that_no_camera_has_is_said_to_be_one() -> None:
    refused(png_of(60_000, 60_000), "a size that no camera has", "at most 1048576 pixels each way")


def test_float_pictures_are_refused() -> None:
    refused(encode(scene().astype(np.float32), ".tif"), "unsupported depth", "8 or 16 bits", "float32")


TURNS = {
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.transpose(1, 0, 2),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: image[::-1, ::-1].transpose(1, 0, 2),
    8: lambda image: np.rot90(image),
}


@pytest.mark.parametrize("orientation", sorted(TURNS))
class TestOrientation:
    def test_jpeg(self, orientation: int) -> None:
        plain = decode(encode(scene(), ".jpg"))
        assert (decode(jpeg_with_exif(scene(), orientation)) == TURNS[orientation](plain)).all()

    def test_png(self, orientation: int) -> None:
        data = encode(scene(), ".png")
        end = data.rindex(b"IDAT") - 4
        tagged = data[:end] + chunk(b"eXIf", exif(orientation)) + data[end:]
        assert (decode(tagged) == TURNS[orientation](scene())).all()

    def test_webp(self, orientation: int) -> None:
        body = exif(orientation)
        plain = encode(scene(), ".webp")
        extended = struct.pack("<4sIB3x", b"VP8X", 10, 8) + b"\x27\0\0\x17\0\0"
        metadata = struct.pack("<4sI", b"EXIF", len(body)) + body
        riff = b"WEBP" + extended + plain[12:] + metadata
        tagged = struct.pack("<4sI", b"RIFF", len(riff)) + riff
        assert (decode(tagged) == TURNS[orientation](decode(plain))).all()


def test_orientation_does_not_hide_transparency() -> None:
    pixels = b"\0" + b"\x50\x50\x50\x64" * 2
    refused(png_of(2, 1, 6, pixels, chunk(b"eXIf", exif(6))), "transparent")


class TestDamaged:
    def test_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(ImageError) as caught:
            read_image(tmp_path / "no.png")
        assert_one_line(caught.value, 3, "no.png", "No such file")

    def test_folder(self, tmp_path: Path) -> None:
        with pytest.raises(ImageError) as caught:
            read_image(tmp_path)
        assert_one_line(caught.value, 3, str(tmp_path), "Is a directory")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_unreadable_file(self, tmp_path: Path) -> None:
        (tmp_path / "p.png").write_bytes(encode(scene(), ".png"))
        (tmp_path / "p.png").chmod(0)
        with pytest.raises(ImageError, match="Permission denied"):
            read_image(tmp_path / "p.png")

    def test_empty(self) -> None:
        refused(b"", "the file is empty")

    @pytest.mark.parametrize("data", [b"\0", b"hello", b"<html>", b"\x89PNG\r\n\x1a\n", b"BM", b"\xff\xd8"])
    def test_no_picture(self, data: bytes) -> None:
        refused(data)

    @pytest.mark.parametrize("suffix", [*LOSSLESS, ".jpg", ".webp"])
    @pytest.mark.parametrize("kept", [0.05, 0.3, 0.6, 0.9, 0.99])
    def test_truncated(self, suffix: str, kept: float) -> None:
        data = encode(np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8), suffix)
        refused(data[: int(len(data) * kept)])

    @pytest.mark.parametrize("lost", [1, 2, 3, 50])
    def test_truncated_jpeg_with_a_complete_thumbnail(self, lost: int) -> None:
        data = jpeg_with_exif(scene(), thumbnail=encode(scene(8, 8), ".jpg"))
        assert decode(data).shape == (24, 40, 3)
        refused(data[:-lost], "the JPEG is cut short or damaged")

    def test_jpeg_with_a_zeroed_tail(self) -> None:
        data = encode(scene(), ".jpg")
        refused(data[: len(data) // 2] + bytes(len(data) - len(data) // 2), "the JPEG is cut short")

    def test_two_halves_of_jpegs(self) -> None:
        """A lost block may join the start of one picture to the rest of the next."""
        data = encode(np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8), ".jpg")
        refused(data[: len(data) // 2] + data, "the JPEG is cut short")

    def test_second_picture_behind_a_jpeg(self) -> None:
        """As telephones append a preview: the first picture counts."""
        first, second = encode(scene(), ".jpg"), encode(scene(8, 8), ".jpg")
        assert (decode(first + second) == decode(first)).all()
        refused(first[:-2] + second, "the JPEG is cut short")

    @pytest.mark.parametrize("progressive", [0, 1])
    @pytest.mark.parametrize("restart", [0, 2])
    def test_scans_and_restarts(self, progressive: int, restart: int) -> None:
        options = [cv2.IMWRITE_JPEG_PROGRESSIVE, progressive, cv2.IMWRITE_JPEG_RST_INTERVAL, restart]
        noise = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
        data = cv2.imencode(".jpg", noise, options)[1].tobytes()
        assert decode(data).shape == noise.shape
        refused(data[:-2], "the JPEG is cut short")
        refused(data[: len(data) * 2 // 3], "the JPEG is cut short")

    @pytest.mark.parametrize("edge", [30_000, 60_000, 2**31 - 1])
    def test_huge_claims(self, edge: int) -> None:
        refused(png_of(edge, edge, rows=b"\0" * 1000))


@given(st.binary(max_size=200) | st.binary(max_size=100).map(lambda tail: b"\xff\xd8\xff\xda\0\2" + tail))
@settings(deadline=None)
def test_random_bytes(data: bytes) -> None:
    picture_or_error(data)


BASES = [encode(scene(), suffix) for suffix in (".png", ".jpg", ".webp", ".tif", ".bmp")] + [
    jpeg_with_exif(scene(), 6)
]


@given(
    st.sampled_from(BASES),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 255)), min_size=1, max_size=4),
)
@settings(max_examples=200, deadline=None)
def test_flipped_bits(base: bytes, flips: list[tuple[int, int]]) -> None:
    data = bytearray(base)
    for position, mask in flips:
        data[position % len(data)] ^= mask
    picture_or_error(bytes(data))


@given(st.integers(0, 10_000), st.integers(1, 255))
@settings(max_examples=100, deadline=None)
def test_damaged_png_pixels_are_never_shown(position: int, mask: int) -> None:
    """PNG is the format with checksums: what they protect is right or refused."""
    data = bytearray(BASES[0])
    data[position % len(data)] ^= mask
    image = picture_or_error(bytes(data))
    assert image is None or (image == scene()).all()


def picture_or_error(data: bytes) -> UInt8Array | None:
    try:
        image = decode(data)
    except ImageError as error:
        assert_one_line(error, 3)
        return None
    assert image.dtype == np.uint8
    assert image.ndim == 3
    assert image.shape[2] == 3
    assert image.size > 0
    assert image.flags.c_contiguous
    return image


class TestToBgr8:
    def test_sixteen_bits_are_exact(self) -> None:
        deep = np.array([[0, 128, 129, 257, 32767, 32768, 65278, 65406, 65407, 65535]], np.uint16)
        assert to_bgr8(deep, where="")[0, :, 0].tolist() == [0, 0, 1, 1, 127, 128, 254, 254, 255, 255]

    def test_every_sixteen_bit_level_is_rounded(self) -> None:
        levels = np.arange(65536, dtype=np.uint16).reshape(256, 256)
        assert (to_bgr8(levels, where="")[..., 1] == np.rint(levels / 257.0)).all()

    @pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1), (4, 5, 3)])
    def test_layouts(self, shape: tuple[int, ...]) -> None:
        assert to_bgr8(np.full(shape, 7, np.uint8), where="").tolist() == np.full((4, 5, 3), 7).tolist()

    @pytest.mark.parametrize("shape", [(4,), (4, 5, 2), (4, 5, 5), (1, 4, 5, 3), (0, 5, 3), (4, 0), ()])
    def test_other_layouts(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(ImageError, match="unsupported layout"):
            to_bgr8(np.zeros(shape, np.uint8), where="f")

    @pytest.mark.parametrize("dtype", [np.float32, np.int16, np.int8, np.uint32, np.bool_])
    def test_other_depths(self, dtype: type[np.generic]) -> None:
        with pytest.raises(ImageError, match="unsupported depth"):
            to_bgr8(np.zeros((4, 5, 3), dtype), where="f")
