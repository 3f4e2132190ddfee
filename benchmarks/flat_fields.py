"""How far flat fields lie from a smooth surface, and photographs that are none.

    analyte simulate /tmp/f_sim --samples 60 --seed 5 --size 256
    python benchmarks/flat_fields.py /tmp/f_sim ../shared/data/*

Synthetic fields first, then up to 150 photographs of each folder: the figure that `field_maps` limits.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import cv2
import numpy as np

from analyte.contract.arrays import Float32Array, UInt8Array
from analyte.contract.colour_calibration import Maps
from analyte.contract.errors import ImageError
from analyte.contract.imaging import IMAGE_SUFFIXES, read_image
from analyte.runtime.colour.light import corrected_light, roughness
from analyte.runtime.colour.srgb import to_signal

MOST = 150
RNG = np.random.default_rng(0)


def field(fall_off: float, tilt: float, noise: float, dust: int, centre: float) -> UInt8Array:
    """Return an even sheet under a lens and a lamp to one side, uint8 ``[480, 640, 3]``, BGR."""
    y, x = np.mgrid[-0.75:0.75:480j, -1:1:640j]
    light = (1 + tilt * x) / (1 + fall_off * ((x - centre) ** 2 + (y - 0.2) ** 2) / 1.5625) ** 2
    for _ in range(dust):
        far = (x - RNG.uniform(-0.9, 0.9)) ** 2 + (y - RNG.uniform(-0.7, 0.7)) ** 2
        light *= 1 - 0.05 * np.exp(-far / 0.02**2)
    colours = 0.6 * (light / light.max())[..., np.newaxis] * np.array([1.0, 0.9, 0.7])
    return np.ascontiguousarray(to_signal(colours * RNG.normal(1, noise, colours.shape))[..., ::-1])


def figure(frame: UInt8Array) -> float:
    """Return the roughness of a picture as `field_maps` sees it: blurred by a hundredth of its edge."""
    light = corrected_light(frame, Maps(None, None))
    blurred: Float32Array = np.asarray(
        cv2.GaussianBlur(light, (0, 0), max(0.01 * max(light.shape[:2]), 0.5)), np.float32
    )
    return roughness(blurred)


def show(name: str, figures: list[float]) -> None:
    least, middle, most = np.quantile(figures, (0, 0.5, 1))
    print(f"{name}: {len(figures)} pictures, least {least:.3f}, median {middle:.3f}, most {most:.3f}")


def main() -> None:
    settings = itertools.product((0, 0.3, 0.8, 1.5), (0, 0.3, 0.6), (0.01, 0.05), (0, 5, 20), (0, 0.4))
    show("synthetic fields", [figure(field(*one)) for one in settings])
    for folder in map(Path, sys.argv[1:]):
        files = [file for file in sorted(folder.rglob("*")) if file.suffix.lower() in IMAGE_SUFFIXES]
        figures = []
        for file in files[:: max(1, len(files) // MOST)]:
            try:
                figures.append(figure(read_image(file)))
            except ImageError:
                continue
        if figures:
            show(folder.name, figures)


if __name__ == "__main__":
    main()
