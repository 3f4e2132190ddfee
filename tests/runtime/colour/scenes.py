"""Pictures of a chart and a white patch that are computed from the chart's own colours."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from analyte.contract.arrays import Float64Array, UInt8Array
from analyte.contract.preprocessing import Box
from analyte.runtime.colour.references import CHARTS
from analyte.runtime.colour.srgb import to_signal

STEP = 40
CORNERS = np.array([[42, 42], [278, 42], [278, 198], [42, 198]], np.float64)
"""Outer corners of the patches of `chart_scene`, pixels."""
WHITE = Box(x=330, y=60, w=40, h=40)
CAST = np.array([[0.62, 0.05, 0.01], [0.04, 0.50, 0.02], [0.00, 0.06, 0.33]])
"""What a camera in other light makes of linear sRGB."""


def chart_scene(cast: Float64Array | None = None) -> UInt8Array:
    """uint8 ``[240, 420, 3]``, BGR: a chart on black card, and a white patch beside it, in light
    ``cast``."""
    cast = 0.7 * np.eye(3) if cast is None else cast
    light = np.full((240, 420, 3), 0.2)
    light[20:220, 20:300] = 0.02
    for index, colour in enumerate(np.clip(CHARTS["classic"].linear, 0.0, None)):
        y, x = 40 + index // 6 * STEP, 40 + index % 6 * STEP
        light[y + 2 : y + STEP - 2, x + 2 : x + STEP - 2] = colour
    light[50:110, 320:380] = 0.85
    return np.ascontiguousarray(to_signal(light @ cast.T)[..., ::-1])


def write(path: Path, picture: UInt8Array) -> Path:
    assert cv2.imwrite(str(path), picture)
    return path


def corners_text(corners: Float64Array = CORNERS) -> str:
    return ",".join(f"{v:g}" for v in corners.ravel())
