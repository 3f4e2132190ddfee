"""Where colours are corrected: before the area resize or after it.

    python benchmarks/colour_order.py PICTURE... [--repeats 300]

Corrects pictures (the square from their top left corner, as 400 px regions) from one light to another, by
factors in linear light, before and after the resize to 64 px, and prints by how many 8-bit levels the results
differ; then what a table, and a matrix in linear light, take on a 640x480 frame, on the region and on
the small picture.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click
import cv2
import numpy as np

from analyte.contract.arrays import Float32Array, UInt8Array
from analyte.contract.imaging import read_image

GAINS = np.array([0.62, 1.0, 1.45], np.float32)
"""Factors on B, G, R: about daylight to tungsten."""
REGION, SIZE = 400, 64


def decoded() -> Float32Array:
    """Return linear light, 0 to 1, of each sRGB level (IEC 61966-2-1)."""
    x = np.arange(256) / 255
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4).astype(np.float32)


def encoded(linear: Float32Array) -> UInt8Array:
    clipped = np.clip(linear, 0, 1)
    curve = np.where(clipped <= 0.0031308, 12.92 * clipped, 1.055 * clipped ** (1 / 2.4) - 0.055)
    return np.rint(255 * curve).astype(np.uint8)


def shrunk(picture: UInt8Array, size: int) -> UInt8Array:
    return np.asarray(cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def differences(picture: UInt8Array) -> tuple[float, float]:
    """Return mean and 99th percentile of |before - after|, 8-bit levels, where neither is clipped."""
    edge = min(picture.shape[:2])
    region, light = shrunk(picture[:edge, :edge], REGION), decoded()
    before = shrunk(encoded(light[region] * GAINS), SIZE)
    after = encoded(light[shrunk(region, SIZE)] * GAINS)
    apart = np.abs(before.astype(int) - after)[(before > 3) & (before < 252)]
    return float(apart.mean()), float(np.percentile(apart, 99))


def p50_us(run: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(1e6 * (time.perf_counter() - start))
    return statistics.median(times)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("pictures", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--repeats", default=300, show_default=True)
def main(pictures: tuple[Path, ...], repeats: int) -> None:
    """Compare correction before and after the resize."""
    cv2.setNumThreads(1)
    found = [differences(read_image(path)) for path in pictures]
    mean, p99 = (max(values) for values in zip(*found, strict=True))
    print(f"{len(found)} pictures, worst: mean {mean:.2f}, 99th percentile {p99:.0f} of 255 levels")
    frame = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
    table = np.ascontiguousarray(np.stack([encoded(decoded() * gain) for gain in GAINS], -1)[np.newaxis])
    linear = np.ascontiguousarray(np.repeat(decoded()[np.newaxis, :, np.newaxis], 3, 2))
    shown = {"frame": frame, "region": frame[:REGION, :REGION], "picture": frame[:SIZE, :SIZE]}
    for name, part in shown.items():
        pixels = np.ascontiguousarray(part)
        by_table = p50_us(partial(cv2.LUT, pixels, table), repeats)
        by_matrix = p50_us(partial(in_linear_light, pixels, linear), repeats)
        size = f"{pixels.shape[1]}x{pixels.shape[0]}"
        print(f"{name:8s} {size}: table {by_table:.0f} us, matrix {by_matrix:.0f} us")


def in_linear_light(pixels: UInt8Array, table: Float32Array) -> object:
    return (4095 * cv2.transform(cv2.LUT(pixels, table), np.eye(3))).astype(np.uint16)


if __name__ == "__main__":
    main()
