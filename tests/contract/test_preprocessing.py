"""The one preprocessing: region, area resize, RGB, and nothing else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from analyte.contract.arrays import UInt8Array
from analyte.contract.errors import ImageError
from analyte.contract.preprocessing import Box, PreprocessingSpec, is_grey, preprocess
from contract.datasets import assert_one_line

SPEC = PreprocessingSpec(size=16)


def noise(height: int, width: int, seed: int = 0) -> UInt8Array:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@given(st.integers(10, 90), st.integers(10, 90), st.integers(8, 40))
@settings(max_examples=60, deadline=None)
def test_is_area_resize_in_rgb(height: int, width: int, size: int) -> None:
    image = noise(height, width)
    result = preprocess(image, PreprocessingSpec(size=size))
    expected = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)[..., ::-1]
    assert result.dtype == np.uint8
    assert (result == expected).all()


def test_area_is_the_mean_of_each_cell() -> None:
    image = noise(64, 48)
    result = preprocess(image, SPEC).astype(float)[..., ::-1]
    means = image.reshape(16, 4, 16, 3, 3).mean(axis=(1, 3))
    assert np.abs(result - means).max() <= 0.5 + 1e-6


def test_blue_green_red_becomes_red_green_blue() -> None:
    assert preprocess(np.full((9, 9, 3), (1, 2, 3), np.uint8), SPEC)[5, 5].tolist() == [3, 2, 1]


@given(st.integers(0, 20), st.integers(0, 20), st.integers(4, 20), st.integers(4, 20))
@settings(max_examples=40, deadline=None)
def test_region_is_a_cut(x: int, y: int, w: int, h: int) -> None:
    image = noise(40, 40)
    cut = np.ascontiguousarray(image[y : y + h, x : x + w])
    assert (preprocess(image, SPEC, Box(x=x, y=y, w=w, h=h)) == preprocess(cut, SPEC)).all()


def test_image_is_left_alone_and_result_repeats() -> None:
    image = noise(33, 47)
    before = image.copy()
    assert (preprocess(image, SPEC) == preprocess(image, SPEC)).all()
    assert (image == before).all()


@pytest.mark.parametrize("view", [np.s_[:, ::-1], np.s_[::-1], np.s_[::2, ::3], np.s_[:, :, ::-1]])
def test_any_memory_layout(view: tuple[slice, ...]) -> None:
    image = noise(40, 60)[view]
    assert (preprocess(image, SPEC) == preprocess(np.ascontiguousarray(image), SPEC)).all()


class TestOut:
    def test_is_filled_and_returned(self) -> None:
        batch = np.full((2, 1, 16, 16, 3), 77, np.uint8)
        result = preprocess(noise(40, 40), SPEC, out=batch[1, 0])
        assert (batch[1, 0] == preprocess(noise(40, 40), SPEC)).all()
        assert np.shares_memory(result, batch)
        assert (batch[0] == 77).all()

    @pytest.mark.parametrize(
        "out",
        [
            np.empty((15, 16, 3), np.uint8),
            np.empty((16, 16), np.uint8),
            np.empty((16, 16, 3), np.float32),
            np.empty((16, 32, 3), np.uint8)[:, ::2],
            np.empty((16, 16, 3), np.uint8)[..., ::-1],
        ],
    )
    def test_one_that_does_not_fit_is_not_left_unfilled(self, out: UInt8Array) -> None:
        with pytest.raises(ValueError, match="out must be contiguous uint8"):
            preprocess(noise(40, 40), SPEC, out=out)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((9, 9), np.uint8),
        np.zeros((9, 9, 1), np.uint8),
        np.zeros((9, 9, 4), np.uint8),
        np.zeros((1, 9, 9, 3), np.uint8),
        np.zeros((0, 9, 3), np.uint8),
        np.zeros((9, 9, 3), np.float32),
        np.zeros((9, 9, 3), np.uint16),
        np.zeros((9, 9, 3), np.int8),
    ],
)
def test_other_frames(image: UInt8Array) -> None:
    with pytest.raises(ImageError) as caught:
        preprocess(image, SPEC)
    assert_one_line(caught.value, 3, "frame: unsupported frame", "uint8 [H, W, 3]", str(image.shape))


@pytest.mark.parametrize(
    "box", [(0, 0, 41, 1), (0, 0, 1, 31), (40, 0, 1, 1), (0, 30, 1, 1), (9, 9, 10**30, 1)]
)
def test_region_outside(box: tuple[int, int, int, int]) -> None:
    x, y, w, h = box
    with pytest.raises(ImageError) as caught:
        preprocess(noise(30, 40), SPEC, Box(x=x, y=y, w=w, h=h), where="p.png")
    assert_one_line(caught.value, 3, "p.png: the region lies outside", "40x30", f"{x},{y},{w},{h}")


def test_region_may_touch_the_edges() -> None:
    preprocess(noise(30, 40), SPEC, Box(x=36, y=26, w=4, h=4))


@pytest.mark.parametrize("box", [(-1, 0, 1, 1), (0, -1, 1, 1), (0, 0, 0, 1), (0, 0, 1, 0), (0, 0, 1, -1)])
def test_boxes_that_are_none(box: tuple[int, int, int, int]) -> None:
    x, y, w, h = box
    with pytest.raises(ValidationError):
        Box(x=x, y=y, w=w, h=h)


def test_digest_is_pinned() -> None:
    """Bundles in the field hold this number: another one means a new version of the specification."""
    pinned = "3723be7a"
    assert PreprocessingSpec(size=64).digest().startswith(pinned)
    assert not PreprocessingSpec(size=65).digest().startswith(pinned)


@pytest.mark.parametrize(("height", "width"), [(3, 40), (40, 3), (1, 1)])
def test_pictures_that_would_have_to_be_made_up(height: int, width: int) -> None:
    with pytest.raises(ImageError) as caught:
        preprocess(noise(height, width), SPEC, where="p.png")
    assert_one_line(caught.value, 3, "p.png: ", "too small", "at least 4 pixels", f"{width}x{height}")


def test_grey_is_told_from_colour() -> None:
    grey = np.repeat(noise(8, 8)[..., :1], 3, axis=2)
    assert is_grey(grey)
    for channel in range(3):
        coloured = grey.copy()
        coloured[3, 4, channel] ^= 1
        assert not is_grey(coloured)
