"""Colour planes: what they keep of a picture, and what they are blind to."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from analyte.train.colour import PLANES, colour_planes

SIZE = 8


def planes(
    pictures: np.ndarray, name: str, views: tuple[str, ...] = ("sample",), reference: str | None = None
) -> np.ndarray:
    image = keras.Input(pictures.shape[1:], dtype="uint8")
    model = keras.Model(image, colour_planes(image, views, (name,), reference))
    return keras.ops.convert_to_numpy(model(pictures))


def scene(light: float = 1.0, tint: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> np.ndarray:
    """White paper with a black ring's worth of pixels and a patch of dye, uint8 ``[1, S, S, 3]``."""
    picture = np.full((SIZE, SIZE, 3), 200.0)
    picture[2:6, 2:6] = 20.0
    picture[3:5, 3:5] = (180.0, 120.0, 60.0)
    return np.rint(picture * light * np.asarray(tint))[np.newaxis].astype(np.uint8)


@pytest.mark.parametrize("name", PLANES)
def test_range_and_channels(name: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (4, SIZE, SIZE, 3), dtype=np.uint8)
    black, white = np.zeros((1, SIZE, SIZE, 3), np.uint8), np.full((1, SIZE, SIZE, 3), 255, np.uint8)
    found = planes(np.concatenate([noise, black, white, scene()]), name)
    assert found.shape == (7, SIZE, SIZE, 1 if name == "grey" else 3)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert np.abs(found).max() < 15.0
    assert found[-1].std() > 0.1


@pytest.mark.parametrize("name", ["absorbance", "surround", "ratio", "reflectance"])
def test_blind_to_the_light(name: str) -> None:
    """Half the light and another tint change intensity a lot and these hardly."""
    usual, other = (planes(taken, name) for taken in (scene(), scene(0.7, (1.0, 0.9, 0.8))))
    raw = np.abs(planes(scene(), "rgb") - planes(scene(0.7, (1.0, 0.9, 0.8)), "rgb")).max()
    assert np.abs(usual - other).max() < 0.3 * raw


def test_reflectance_of_black_and_white() -> None:
    found = planes(scene(), "reflectance")[0]
    np.testing.assert_allclose(found[0, 0], 2.0, atol=0.4)
    np.testing.assert_allclose(found[2, 2], -2.0, atol=0.4)
    # (120 - 20) / (200 - 20), but for the least contrast.
    assert found[3, 3, 1] == pytest.approx(4.0 * 100 / 180 - 2.0, abs=0.3)


def test_absorbance_is_taken_against_the_reference_view() -> None:
    blank = np.full((1, SIZE, SIZE, 3), 200, np.uint8)
    sample = np.full((1, SIZE, SIZE, 3), 50, np.uint8)
    pictures = np.stack([blank, sample], axis=1)
    found = planes(pictures, "absorbance", ("blank", "sample"), "blank")
    np.testing.assert_allclose(found[0, 0], 0.0, atol=1e-5)
    floored = np.log((200 / 255 + 0.02) / (50 / 255 + 0.02))
    np.testing.assert_allclose(found[0, 1], 3.0 * floored, rtol=1e-4)
    # Without a reference each picture is its own: a uniform one has none.
    np.testing.assert_allclose(planes(pictures, "absorbance", ("blank", "sample")), 0.0, atol=1e-5)


def test_the_surround_is_what_lies_outside_the_inscribed_circle() -> None:
    """Whatever fills the round specimen, the paper in the corners stays at zero, whichever way it lies."""
    at = np.arange(16) - 7.5
    inside = np.hypot(at[:, np.newaxis], at) < 7.0
    for dye in (50, 100):
        picture = np.full((1, 16, 16, 3), 200, np.uint8)
        picture[:, inside] = dye
        found = planes(picture, "surround")[0]
        np.testing.assert_allclose(found[~inside & (np.hypot(at[:, None], at) > 9.0)], 0.0, atol=1e-4)
        expected = 3.0 * np.log((200 / 255 + 0.02) / (dye / 255 + 0.02))
        np.testing.assert_allclose(found[8, 8], expected, rtol=1e-3)


def test_lab_of_known_colours() -> None:
    """White is L* 100; sRGB red is L* 53, a* 80, b* 67 (to the accuracy of the power-of-2.2 curve)."""
    for colour, expected in (
        ((255, 255, 255), (100, 0, 0)),
        ((255, 0, 0), (53.2, 80.1, 67.2)),
        ((0, 0, 0), (0, 0, 0)),
    ):
        picture = np.full((1, SIZE, SIZE, 3), colour, np.uint8)
        lab = planes(picture, "lab")[0, 0, 0].astype(float) * 40.0 + np.array([50.0, 0.0, 0.0])
        np.testing.assert_allclose(lab, expected, atol=6.0)


def test_several_planes_stand_side_by_side() -> None:
    image = keras.Input((SIZE, SIZE, 3), dtype="uint8")
    model = keras.Model(image, colour_planes(image, ("sample",), ("grey", "rgb"), None))
    found = keras.ops.convert_to_numpy(model(scene()))
    assert found.shape[-1] == 4
    np.testing.assert_array_equal(found[..., 1:], planes(scene(), "rgb"))
