"""sRGB signals to linear light and back, by tables (IEC 61966-2-1)."""

from __future__ import annotations

import functools

import cv2
import numpy as np

from analyte.contract.arrays import Float32Array, Float64Array, UInt8Array

FULL_SCALE = 65535
"""Steps of linear light in the table back: near black a step is 0.05 of an 8-bit one."""


@functools.cache
def decoding() -> Float32Array:
    """Return the linear light, 0 to 1, of each 8-bit signal, float32 ``[256]``."""
    signal = np.arange(256) / 255.0
    table = np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4).astype(np.float32)
    table.setflags(write=False)
    return table


@functools.cache
def encoding() -> UInt8Array:
    """Return the 8-bit signal of each linear light in steps of 1 / `FULL_SCALE`, uint8 ``[65536]``."""
    linear = np.arange(FULL_SCALE + 1) / FULL_SCALE
    signal = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    table = np.rint(255.0 * signal).astype(np.uint8)
    table.setflags(write=False)
    return table


def to_linear(picture: UInt8Array) -> Float32Array:
    """Return linear light, float32 ``[H, W, 3]``, 0 to 1, of a picture uint8 ``[H, W, 3]``; order
    kept."""
    return np.asarray(cv2.LUT(picture, decoding()), np.float32)


def to_signal(linear: Float64Array | Float32Array) -> UInt8Array:
    """Return 8-bit signals of linear light of any shape; what lies outside 0 to 1 is cut off."""
    index = np.rint(np.clip(linear, 0.0, 1.0) * FULL_SCALE).astype(np.uint16)
    return np.asarray(encoding()[index], np.uint8)
