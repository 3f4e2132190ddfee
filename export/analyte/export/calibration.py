"""Pictures that calibrate quantization: the training data, and the same under other light."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analyte.contract.arrays import UInt8Array

IntArray = npt.NDArray[np.int64]
LIMIT = 768
"""Pictures that the calibration runs: more widen no range further, and each costs time."""

_AS_RECORDED = (1.0, 1.0, 1.0, 1.0)
_CONDITIONS = (
    _AS_RECORDED,
    (1.0, 1.0, 1.0, 1.4),
    (0.75, 0.75, 0.75, 1.0),
    (1.3, 1.3, 1.3, 1.0),
    (1.15, 1.0, 0.85, 1.2),
    (0.85, 1.0, 1.15, 1.2),
)
"""Gains of R, G and B, and contrast (exponent of the intensity), taken in turn: as recorded, harder contrast,
darker, brighter, warmer, cooler."""


def calibration_index(count: int) -> IntArray:
    """Return which of ``count`` training samples each calibration picture shows, ``[M]``, M at most `LIMIT`.

    Other samples for every condition, so that together they cover the data.
    """
    passes = len(_CONDITIONS)
    each = max(1, min(count, LIMIT // passes))
    starts = np.arange(passes)[:, np.newaxis] * count / (passes * each)
    index: IntArray = (starts + np.arange(each) * count / each).astype(np.int64).ravel() % count
    return index


def calibration_pictures(images: UInt8Array) -> UInt8Array:
    """Return the samples of `calibration_index`, as recorded and under other light and contrast.

    ``images``: uint8 ``[N, V, S, S, 3]``, RGB, training pictures; every view of a sample is changed alike.
    Integer ranges are taken from what the network sees here, and anything beyond them is cut off: a new day's
    light, or a deeper colour, must lie within, or its values would be wrong without any sign.
    """
    parts = []
    for index, (*gains, contrast) in zip(
        np.split(calibration_index(len(images)), len(_CONDITIONS)), _CONDITIONS, strict=True
    ):
        chosen = images[index]
        intensity = np.minimum(chosen / 255.0 * np.asarray(gains), 1.0) ** contrast
        parts.append(np.rint(255.0 * intensity).astype(np.uint8))
    return np.concatenate(parts)
