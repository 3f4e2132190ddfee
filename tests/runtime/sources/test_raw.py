"""Raw frames: the colours of a scene come back from what the sensor would have counted."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from pydantic import ValidationError

from analyte.contract.errors import ImageError
from analyte.contract.sections.camera import RawSection
from analyte.runtime.sources.raw import Developer

PATTERNS = ("RGGB", "BGGR", "GRBG", "GBRG")


def mosaic(
    light: tuple[float, float, float], raw: RawSection, shape: tuple[int, int] = (12, 16)
) -> npt.NDArray[np.generic]:
    """Return what a sensor counts of an even colour; ``light``: red, green, blue, linear, 0 to 1."""
    full = 2**raw.bits - 1
    of = dict(zip("RGB", light, strict=True))
    sensor = np.empty(shape)
    for place, colour in enumerate(raw.pattern):
        sensor[place // 2 :: 2, place % 2 :: 2] = raw.black_level + of[colour] * (full - raw.black_level)
    return np.round(sensor).astype(np.uint8 if raw.bits == 8 else np.uint16)


def srgb(light: float) -> float:
    """IEC 61966-2-1, by hand."""
    return 255 * (12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize(("bits", "black"), [(8, 0), (10, 64), (12, 256), (14, 0), (16, 4096)])
def test_colours_of_every_pattern_and_depth(pattern: str, bits: int, black: int) -> None:
    raw = RawSection.model_validate({"pattern": pattern, "bits": bits, "black_level": black})
    light = (0.6, 0.25, 0.05)
    picture = Developer(raw).develop(mosaic(light, raw), where="test")
    assert picture.shape == (12, 16, 3)
    assert picture.dtype == np.uint8
    blue, green, red = picture[4:-4, 4:-4].reshape(-1, 3).mean(axis=0)
    expected = [srgb(one) for one in light]
    # Eight bits of light are coarse in the dark: a step of 1/255 is 6 levels at 0.05.
    assert [red, green, blue] == pytest.approx(expected, abs=4.0 if bits == 8 else 1.0)


def test_grey_keeps_its_depth_until_the_end() -> None:
    raw = RawSection(pattern="grey", bits=12, black_level=100)
    sensor = np.array([[100, 4095, 50, 100 + 3995 // 2]] * 4, np.uint16)
    picture = Developer(raw).develop(sensor, where="test")
    assert picture[0].tolist() == [0, 255, 0, round(srgb(1997 / 3995))]


def test_gains_balance_and_saturated_stays_white() -> None:
    raw = RawSection(pattern="RGGB", bits=10, white_balance_gains=(2.0, 1.5))
    balanced = Developer(raw).develop(mosaic((0.2, 0.4, 0.4 / 1.5), raw), where="test")[4:-4, 4:-4]
    assert np.ptp(balanced) <= 1
    for gains in ((2.0, 1.5), (0.5, 0.8)):
        other = raw.model_copy(update={"white_balance_gains": gains})
        white = Developer(other).develop(mosaic((1.0, 1.0, 1.0), other), where="test")
        assert (white == 255).all()


@pytest.mark.parametrize(
    ("sensor", "says"),
    [
        (np.zeros((8, 8), np.uint8), "expected one number per pixel, uint16; got [8, 8], uint8"),
        (np.zeros((8, 8, 3), np.uint16), "got [8, 8, 3]"),
        (np.zeros((8, 0), np.uint16), "got [8, 0]"),
        (np.full((8, 8), 1024, np.uint16), "expected at most 1023; got 1024"),
        (np.zeros((2, 2), np.uint16), "too small"),
    ],
)
def test_other_frames_are_refused(sensor: npt.NDArray[np.generic], says: str) -> None:
    with pytest.raises(ImageError) as caught:
        Developer(RawSection(pattern="RGGB", bits=10)).develop(sensor, where="camera 0")
    assert says in caught.value.line()


@pytest.mark.parametrize(
    "section",
    [
        {"pattern": "RGBG", "bits": 8},
        {"pattern": "grey", "bits": 9},
        {"pattern": "grey", "bits": 8, "black_level": 128},
        {"pattern": "grey", "bits": 8, "white_balance_gains": (1.1, 1.0)},
        {"pattern": "RGGB", "bits": 8, "white_balance_gains": (0, 1.0)},
        {"pattern": "RGGB", "bits": 8, "white_balance_gains": (float("nan"), 1.0)},
    ],
)
def test_sections_that_cannot_be(section: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RawSection.model_validate(section)
