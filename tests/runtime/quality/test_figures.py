"""What each figure says of pictures whose faults are known."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from analyte.contract.arrays import UInt8Array
from analyte.contract.preprocessing import Box, PreprocessingSpec, preprocess
from analyte.runtime.quality.figures import (
    FIGURES,
    Look,
    clipped,
    coverage,
    exposure,
    focus,
    glare,
    light,
    motion,
)

BOX = Box(x=40, y=20, w=96, h=96)
SPEC = PreprocessingSpec(size=32)


def look(frame: UInt8Array, box: Box | None = BOX, *, before: UInt8Array | None = None) -> Look:
    seen = None if before is None else preprocess(before, SPEC, box)
    return Look(frame, box, preprocess(frame, SPEC, box), seen)


def plain(level: int | tuple[int, int, int] = 120) -> UInt8Array:
    return np.full((140, 180, 3), level, np.uint8)


def well(level: int = 90, *, seed: int = 0) -> UInt8Array:
    """A dark disc on a pale plate, with a little noise, BGR."""
    frame = plain(200)
    cv2.circle(frame, (88, 68), 30, (level, level // 2, level), -1, cv2.LINE_AA)
    noise = np.random.default_rng(seed).normal(0, 1.0, frame.shape)
    return np.clip(frame + noise, 0, 255).round().astype(np.uint8)


def blurred(frame: UInt8Array, sigma: float) -> UInt8Array:
    return np.asarray(cv2.GaussianBlur(frame, (0, 0), sigma), np.uint8)


class TestFocus:
    def test_falls_with_blur(self) -> None:
        figures = [focus(look(blurred(well(), sigma))) for sigma in (0.5, 1.0, 2.0, 4.0)]
        assert figures == sorted(figures, reverse=True)
        assert figures[0] > 2 * figures[-1]

    def test_does_not_depend_on_brightness_or_contrast(self) -> None:
        sharp = blurred(well(), 1.0)
        paler = (60 + 0.5 * sharp.astype(np.float64)).round().astype(np.uint8)
        assert focus(look(paler)) == pytest.approx(focus(look(sharp)), rel=0.03)

    def test_noise_has_no_structure(self) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (140, 180, 3), dtype=np.uint8)
        assert focus(look(noise)) == pytest.approx(1.0, abs=0.03)

    def test_is_never_more_than_1(self) -> None:
        # Two dark, two bright: pixels two apart differ by more than those of noise.
        stripes = np.where(np.arange(180)[None, :, None] // 2 % 2, 200, 50)
        frame = np.broadcast_to(stripes, (140, 180, 3)).astype(np.uint8)
        assert focus(look(frame)) <= 1.0
        squares = frame // 2 + np.where(np.arange(140)[:, None, None] // 2 % 2, 100, 0).astype(np.uint8)
        assert focus(look(squares)) == 1.0

    def test_straight_lines_of_a_known_autocorrelation(self) -> None:
        """A sine of period p has 1 - cos(2 pi 2 / p) across and nothing along: half of it on average."""
        columns = np.sin(2 * np.pi * np.arange(180) / 16)
        for turned in (False, True):
            rows, wide = (180, 140) if turned else (140, 180)
            waves = np.sin(2 * np.pi * np.arange(wide) / 16) if turned else columns
            frame = np.repeat(
                (128 + 100 * waves).round().astype(np.uint8)[np.newaxis, :, np.newaxis], 3, axis=2
            )
            frame = np.ascontiguousarray(np.repeat(frame, rows, axis=0))
            if turned:
                frame = np.ascontiguousarray(frame.transpose(1, 0, 2))
            expected = math.sqrt((1 - math.cos(2 * np.pi * 2 / 16)) / 2)
            assert focus(look(frame)) == pytest.approx(expected, rel=0.02)

    def test_one_colour_has_none(self) -> None:
        assert math.isnan(focus(look(plain())))

    @pytest.mark.parametrize("box", [Box(x=0, y=0, w=9, h=2), Box(x=0, y=0, w=2, h=9)])
    def test_region_too_small_to_tell(self, box: Box) -> None:
        frame = well()
        assert math.isnan(focus(Look(frame, box, preprocess(frame, SPEC))))


class TestClipped:
    def test_share_of_the_region_only(self) -> None:
        frame = plain()
        frame[:, :40] = 255
        assert clipped(look(frame)) == 0.0
        frame[:, 40:64] = (10, 20, 254)
        assert clipped(look(frame)) == pytest.approx(0.25)
        frame[:, 112:136] = 0
        assert clipped(look(frame)) == pytest.approx(0.5)

    def test_one_black_channel_is_a_colour(self) -> None:
        assert clipped(look(plain((0, 0, 200)))) == 0.0
        assert clipped(look(plain((253, 253, 253)))) == 0.0


def test_exposure_is_the_mean_level() -> None:
    assert exposure(look(plain((51, 102, 153)))) == pytest.approx(0.4)
    assert exposure(look(plain(0))) == 0.0
    assert exposure(look(plain(255))) == 1.0


class TestGlare:
    def spot(self, frame: UInt8Array, centre: tuple[int, int], radius: int) -> UInt8Array:
        cv2.circle(frame, centre, radius, (255, 255, 255), -1)
        return frame

    def test_share_of_the_spot(self) -> None:
        assert glare(look(well())) == 0.0
        figure = glare(look(self.spot(well(), (90, 70), 6)))
        assert figure == pytest.approx(np.pi * 36 / 96**2, rel=0.15)

    def test_pale_paper_is_none(self) -> None:
        frame = plain(90)
        frame[20:116, 40:60] = 250
        assert glare(look(frame)) == 0.0

    def test_white_that_reaches_in_from_the_border_is_none(self) -> None:
        for corner in ((40, 20), (135, 20), (40, 115), (135, 115)):
            assert glare(look(self.spot(plain(90), corner, 6))) == 0.0

    def test_large_patch_inside_is_none(self) -> None:
        assert glare(look(self.spot(plain(90), (88, 68), 30))) == 0.0

    def test_coloured_or_dim_spot_is_none(self) -> None:
        frame = plain(90)
        cv2.circle(frame, (88, 68), 6, (60, 255, 255), -1)
        assert glare(look(frame)) == 0.0
        cv2.circle(frame, (88, 68), 6, (190, 190, 190), -1)
        assert glare(look(frame)) == 0.0


class TestMotion:
    def test_first_frame_has_none(self) -> None:
        assert motion(look(well())) is None

    def test_flicker_is_no_motion(self) -> None:
        flickered = (well().astype(np.float64) * 0.8).round().astype(np.uint8)
        assert motion(look(flickered, before=well())) == pytest.approx(0.0, abs=0.003)

    def test_shift_grows(self) -> None:
        shifts = [motion(look(np.roll(well(), by, axis=1), before=well(seed=1))) or 0.0 for by in (0, 2, 8)]
        assert shifts[0] < 0.01 < shifts[1] < shifts[2]

    def test_known_difference(self) -> None:
        before, now = plain(100), plain(100)
        before[:, :88], before[:, 88:] = 80, 120
        now[:, :88], now[:, 88:] = 120, 80
        assert motion(look(now, before=before)) == pytest.approx(40 / 255, abs=1e-3)

    def test_after_a_black_frame(self) -> None:
        assert math.isnan(motion(look(well(), before=plain(0))) or 0.0)


def test_coverage_is_the_sites() -> None:
    frame = well()
    assert coverage(Look(frame, BOX, preprocess(frame, SPEC, BOX), coverage=0.75)) == 0.75


class TestLight:
    def test_level_of_the_surround(self) -> None:
        frame = plain(204)
        frame[20:116, 40:136] = 10
        assert light(look(frame)) == pytest.approx(0.8)
        assert light(Look(frame, BOX, preprocess(frame, SPEC, BOX), light_level=0.5)) == pytest.approx(1.6)

    def test_far_away_does_not_count(self) -> None:
        frame = plain(0)
        frame[8:128, 28:148] = 102
        frame[20:116, 40:136] = 255
        assert light(look(frame)) == pytest.approx(0.4)

    def test_at_the_corner_of_the_frame(self) -> None:
        frame = plain(102)
        frame[:100, :100] = 255
        assert light(look(frame, Box(x=0, y=0, w=100, h=100))) == pytest.approx(0.4)

    @pytest.mark.parametrize("box", [None, Box(x=0, y=0, w=180, h=140)])
    def test_whole_frame_looks_at_its_border(self, box: Box | None) -> None:
        frame = plain(102)
        frame[35:105, 45:135] = 255
        assert light(look(frame, box)) == pytest.approx(0.4)


def test_pictures_are_not_altered() -> None:
    frame, before = well(), well(seed=1)
    seen = look(frame, before=before)
    picture = seen.picture.copy()
    for measure in FIGURES.values():
        measure(seen)
    assert np.array_equal(frame, well())
    assert np.array_equal(seen.picture, picture)
