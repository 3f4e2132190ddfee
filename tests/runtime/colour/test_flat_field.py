"""Flat fields: what a lens and a lamp do is taken, what shows anything is refused."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from analyte.contract.arrays import UInt8Array
from analyte.contract.errors import ImageError
from analyte.runtime.colour.light import field_maps
from analyte.runtime.colour.srgb import to_signal
from runtime.colour.scenes import write


def flat(fall_off: float, tilt: float, *, dust: int = 0, noise: float = 0.02) -> UInt8Array:
    """uint8 ``[240, 320, 3]``, BGR: an even sheet under a lens and a lamp to one side, dust on the sensor."""
    rng = np.random.default_rng(dust)
    y, x = np.mgrid[-0.75:0.75:240j, -1:1:320j]
    light = (1 + tilt * x) / (1 + fall_off * (x**2 + y**2) / 1.5625) ** 2
    for _ in range(dust):
        far = (x - rng.uniform(-0.9, 0.9)) ** 2 + (y - rng.uniform(-0.7, 0.7)) ** 2
        light *= 1 - 0.05 * np.exp(-far / 0.02**2)
    colours = 0.6 * (light / light.max())[..., np.newaxis] * np.array([1.0, 0.9, 0.7])
    return np.ascontiguousarray(to_signal(colours * rng.normal(1, noise, colours.shape))[..., ::-1])


@pytest.mark.parametrize(("fall_off", "tilt", "dust"), [(0.0, 0.0, 0), (0.3, 0.3, 20), (0.8, 0.5, 5)])
def test_lens_lamp_and_dust(tmp_path: Path, fall_off: float, tilt: float, dust: int) -> None:
    maps = field_maps([], [write(tmp_path / "f.png", flat(fall_off, tilt, dust=dust))])
    assert maps is not None
    assert maps.gain is not None


@pytest.mark.parametrize("radius", [8, 30, 80])
def test_photograph_of_a_well_is_refused(tmp_path: Path, radius: int) -> None:
    picture = flat(0.3, 0.1)
    cv2.circle(picture, (150, 120), radius, (150, 150, 150), max(1, radius // 10), cv2.LINE_AA)
    with pytest.raises(
        ImageError, match=r"show more than a lens and a lamp .*within 0\.05 of a smooth"
    ) as got:
        field_maps([], [write(tmp_path / "w.png", picture)])
    assert float(got.value.got or "nan") > 0.05
