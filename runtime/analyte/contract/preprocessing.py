"""The only processing outside the graph: region, resize to a square by area, BGR to RGB.

Training, calibration, parity and the device all call `preprocess`; its specification is hashed into the
bundle, so that a device which would do anything else refuses the bundle.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from analyte.contract.arrays import UInt8Array
from analyte.contract.errors import ImageError

_MOST_ENLARGED = 4
"""Enlarging adds no information; beyond this factor a picture is no longer what training saw."""


class Box(BaseModel):
    """An axis-aligned region of a picture, in pixels from its top left corner."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    x: int = Field(ge=0)
    """Left edge, pixels."""
    y: int = Field(ge=0)
    """Top edge, pixels."""
    w: int = Field(gt=0)
    """Width, pixels."""
    h: int = Field(gt=0)
    """Height, pixels."""

    def __str__(self) -> str:
        return f"{self.x},{self.y},{self.w},{self.h}"


class PreprocessingSpec(BaseModel):
    """What happens to a picture before the graph sees it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    """Changes whenever the same input would give other pixels."""
    size: int = Field(ge=8, le=1024)
    """Edge of the square that the graph takes, pixels."""
    interpolation: Literal["area"] = "area"
    colour: Literal["rgb"] = "rgb"

    def digest(self) -> str:
        """Return the sha256, in hexadecimal, of the specification."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def preprocess(
    image: UInt8Array,
    spec: PreprocessingSpec,
    region: Box | None = None,
    *,
    where: object = "frame",
    out: UInt8Array | None = None,
) -> UInt8Array:
    """Cut ``region`` out of a picture and resize it for the graph.

    ``image``: uint8 ``[H, W, 3]``, BGR, 0 to 255. ``region``: pixels; the whole picture when None.
    ``out``: where to put the result, uint8 ``[size, size, 3]``; a new array when None.
    Returns: uint8 ``[size, size, 3]``, RGB. A region that is not square is stretched, as in training.
    Raises: ImageError for other layouts and for a region that leaves the picture; ValueError for an ``out``
    that does not fit.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise ImageError(
            "unsupported frame", where=where, expected="uint8 [H, W, 3]", got=f"{image.dtype} {image.shape}"
        )
    height, width = image.shape[:2]
    if region is not None:
        if region.x + region.w > width or region.y + region.h > height:
            raise ImageError(
                "the region lies outside the picture",
                where=where,
                expected=f"within {width}x{height}",
                got=f"x,y,w,h = {region}",
            )
        image = image[region.y : region.y + region.h, region.x : region.x + region.w]
    shape = (spec.size, spec.size, 3)
    if _MOST_ENLARGED * min(image.shape[:2]) < spec.size:
        raise ImageError(
            "the picture or its region is too small to measure",
            where=where,
            expected=f"at least {-(-spec.size // _MOST_ENLARGED)} pixels each way",
            got=f"{image.shape[1]}x{image.shape[0]}",
        )
    if out is None:
        out = np.empty(shape, np.uint8)
    elif out.shape != shape or out.dtype != np.uint8 or not out.flags.c_contiguous:
        # OpenCV would write to an array of its own and leave this one as it is.
        raise ValueError(f"out must be contiguous uint8 {shape}, got {out.dtype} {out.shape}")
    resized = cv2.resize(image, (spec.size, spec.size), interpolation=cv2.INTER_AREA)
    cv2.cvtColor(resized, cv2.COLOR_BGR2RGB, dst=out)
    return out


def is_grey(pictures: UInt8Array) -> bool:
    """Whether the three channels of ``[..., 3]`` are equal in every pixel."""
    b, g, r = pictures.reshape(-1, 3)[0].tolist()
    # Nearly every colour picture shows it in its first pixel.
    if not b == g == r:
        return False
    return bool(np.array_equal(pictures[..., 0], pictures[..., 1])) and bool(
        np.array_equal(pictures[..., 1], pictures[..., 2])
    )
