"""Pictures that calibrate quantization: the training data, and the same under other light."""

from __future__ import annotations

import numpy as np

from analyte.contract.arrays import UInt8Array

LIMIT = 384
"""Pictures that the calibration runs: more narrow no range further, and each costs time."""

_LIGHTS = (
    (1.0, 1.0, 1.0),
    (0.75, 0.75, 0.75),
    (1.0, 1.0, 1.0),
    (1.3, 1.3, 1.3),
    (1.15, 1.0, 0.85),
    (0.85, 1.0, 1.15),
)
"""Gains of R, G and B, taken in turn: as recorded, darker, as recorded, brighter, warmer, cooler."""


def calibration_pictures(images: UInt8Array) -> UInt8Array:
    """Return at most `LIMIT` pictures spread evenly over ``images``, a third as recorded, the rest relit.

    ``images``: uint8 ``[N, V, S, S, 3]``, RGB, training pictures; every view of a sample is relit alike.
    Integer ranges are taken from what the network sees here, and anything beyond them is cut off: a new day's
    light must lie within, or its values would be wrong without any sign.
    """
    wanted = min(LIMIT, max(len(images), len(_LIGHTS)))
    chosen = images[np.linspace(0, len(images) - 1, wanted).round().astype(int)]
    gains = np.asarray([_LIGHTS[i % len(_LIGHTS)] for i in range(wanted)], np.float32)
    relit = np.rint(chosen * gains[:, np.newaxis, np.newaxis, np.newaxis, :])
    pictures: UInt8Array = np.clip(relit, 0, 255).astype(np.uint8)
    return pictures
