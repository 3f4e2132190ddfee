"""The camera behind the lens: noise, digitisation, and the processing from raw signals to an 8-bit picture.

One pixel of a picture is one sensor site with all three channels, as in a picture scaled down from a larger
mosaic: demosaicing is not simulated.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import cv2
import numpy as np

from analyte.contract.arrays import Float64Array, UInt8Array
from analyte.contract.errors import OutputError
from analyte.train.simulator.sessions import Session
from analyte.train.simulator.spectra import camera_matrix

FULL_WELL_ELECTRONS = 8000.0
"""Full scale of the raw signal: a 1.55 um pixel, as in the Raspberry Pi HQ camera (IMX477)."""
READ_NOISE_ELECTRONS = 3.0
"""Standard deviation of the noise in the dark."""
RAW_MAXIMUM = 4095
"""Full scale of the 12-bit converter."""
BLACK_LEVEL = 64
"""Raw number in the dark: it keeps negative noise from being cut off."""

_RAW_PER_ELECTRON = (RAW_MAXIMUM - BLACK_LEVEL) / FULL_WELL_ELECTRONS
_GRID = 1024.0
_LINEAR_MAXIMUM = 65535


@dataclass(frozen=True, slots=True)
class Development:
    """Processing of one session's pictures: raw numbers to linear sRGB, then 8 bits."""

    matrix: Float64Array
    """Linear sRGB (0 to 1) from raw signals (0 to 1), ``[3, 3]``: camera matrix times white balance."""

    @classmethod
    def of(cls, session: Session) -> Development:
        """Return the processing that the session's camera applies."""
        return cls(camera_matrix(session.camera) * np.asarray(session.white_balance_gains))


def mean_electrons(raw: Float64Array) -> Float64Array:
    """Return expected electrons per pixel for raw signals (0 to 1 = full scale), rounded to 1/1024 electron.

    The rounding makes a difference in the last bit of exp or pow, as between processors, vanish.
    """
    electrons: Float64Array = np.rint(raw * (FULL_WELL_ELECTRONS * _GRID)) / _GRID
    return electrons


def digitise(electrons: Float64Array, rng: np.random.Generator) -> Float64Array:
    """Add noise and convert: whole raw numbers, 0 to 4095, as float64 of the shape of ``electrons``.

    Shot noise has the variance of a Poisson count, N, drawn as a normal variate (the counts are in the
    hundreds and more), plus read noise: EMVA 1288, sigma^2 = N + sigma_read^2.
    """
    noise = np.sqrt(electrons + READ_NOISE_ELECTRONS**2) * rng.standard_normal(electrons.shape)
    raw = np.rint((electrons + noise) * _RAW_PER_ELECTRON) + BLACK_LEVEL
    return np.clip(raw, 0.0, float(RAW_MAXIMUM), out=raw)


def develop(raw: Float64Array, development: Development) -> UInt8Array:
    """Turn raw numbers into a picture: white balance, camera matrix, sRGB encoding, 8 bits.

    ``raw``: whole numbers ``[3, H, W]``, R, G, B. Returns: uint8 ``[H, W, 3]``, BGR.
    Arithmetic is on whole numbers below 2^53 throughout, hence exact on every machine.
    """
    matrix = np.rint(development.matrix * (4096 * _LINEAR_MAXIMUM / (RAW_MAXIMUM - BLACK_LEVEL)))
    planes = np.asarray(raw, np.float64).reshape(3, -1) - BLACK_LEVEL
    linear = np.clip(np.floor(matrix @ planes / 4096 + 0.5), 0, _LINEAR_MAXIMUM).astype(np.uint16)
    picture = _encoding()[linear[::-1]].T.reshape(*raw.shape[1:], 3)
    return np.ascontiguousarray(picture)


def encode_srgb(linear: Float64Array) -> Float64Array:
    """Return the sRGB signal, 0 to 1, of linear light, 0 to 1 (IEC 61966-2-1)."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0.0) ** (1 / 2.4) - 0.055)


def srgb_slope(linear: Float64Array) -> Float64Array:
    """Return the derivative of `encode_srgb`; zero where the signal is clipped."""
    inside = np.clip(linear, 0.0031308, 1.0)
    slope = np.where(linear <= 0.0031308, 12.92, 1.055 / 2.4 * inside ** (1 / 2.4 - 1.0))
    return np.where((linear <= 0.0) | (linear >= 1.0), 0.0, slope)


def encode_jpeg(picture: UInt8Array, quality: int) -> bytes:
    """Return a picture, uint8 ``[H, W, 3]`` BGR, as JPEG with 4:2:0 chroma, as cameras store it."""
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise OutputError("OpenCV cannot encode a JPEG", got=picture.shape)
    return bytes(data)


@functools.cache
def _encoding() -> UInt8Array:
    """The 8-bit sRGB number of each 16-bit linear number."""
    linear = np.arange(_LINEAR_MAXIMUM + 1) / _LINEAR_MAXIMUM
    return np.asarray([math.floor(v * 255 + 0.5) for v in encode_srgb(linear)], np.uint8)
