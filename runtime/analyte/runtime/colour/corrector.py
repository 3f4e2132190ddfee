"""Correcting cut-out pictures in linear light: dark, flat field, white patch, chart."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from analyte.contract.arrays import Float32Array, Float64Array, UInt8Array
from analyte.contract.colour_calibration import ColourCalibration, Maps
from analyte.contract.preprocessing import Box
from analyte.contract.reading import Reason
from analyte.runtime.colour.light import white_light
from analyte.runtime.colour.protocol import ColourRecord
from analyte.runtime.colour.srgb import FULL_SCALE, decoding, encoding
from analyte.runtime.refusal import Refusal

LARGEST_GAIN = 8.0
"""More than this on any channel is another kind of light, or no light: noise and 8-bit steps grow with
it."""
_MOST_CUTS = 512
"""Regions whose maps are kept; a searched circle gives a new one in every frame."""

_Cut = tuple[Float32Array | None, Float32Array | None]


class CalibratedColour:
    """Applies a calibration to every frame. Holds its buffers: not for use by two threads at once."""

    def __init__(
        self, calibration: ColourCalibration, maps: Maps, *, white: Box | None, max_age_days: float
    ) -> None:
        self._calibration = calibration
        self._maps = maps
        self._white = white
        self._max_age_days = max_age_days
        chart = calibration.chart
        self._matrix: Float64Array = np.eye(3) if chart is None else np.array(chart.matrix)
        self._model = "linear" if chart is None else chart.model
        stages = (("dark", maps.dark), ("flat", maps.gain), ("white", white), ("chart", chart))
        self.method = "+".join(name for name, there in stages if there is not None)
        self._cuts: dict[tuple[Box | None, int, int], _Cut] = {}
        self._light: Float32Array = np.empty((0, 0, 3), np.float32)

    def correct(self, frame: UInt8Array, boxes: Sequence[Box | None], pictures: UInt8Array) -> ColourRecord:
        """Correct ``pictures`` in place; see `ColourCorrector`. Raises: `Refusal` with COLOUR."""
        age_days = self._age_days()
        self._check_size(frame)
        gains: Float64Array | None = None
        if self._white is not None and self._calibration.white is not None:
            gains = np.array(self._calibration.white.light) / white_light(frame, self._white, self._maps)
            _check_gains(gains)
        matrix = self._scaled(gains)
        for box, picture in zip(boxes, pictures, strict=True):
            self._correct_one(picture, self._cut(box, picture.shape[1], picture.shape[0]), matrix)
        chart = self._calibration.chart
        return ColourRecord(
            method=self.method,
            residual_delta_e=None if chart is None else chart.after.mean,
            age_days=age_days,
            gains=None if gains is None else (float(gains[0]), float(gains[1]), float(gains[2])),
        )

    def _age_days(self) -> float:
        age_days = self._calibration.age_days()
        # A clock that was set back would make an expired calibration young.
        if self._calibration.from_the_future:
            raise Refusal(
                Reason.COLOUR,
                f"expected a clock that is later than the colour calibration, got {-age_days:.1f} days less",
            )
        if age_days > self._max_age_days:
            raise Refusal(
                Reason.COLOUR,
                f"expected a colour calibration of at most {self._max_age_days:g} days; got {age_days:.1f}",
            )
        return age_days

    def _check_size(self, frame: UInt8Array) -> None:
        fields = self._calibration.fields
        if fields is not None and frame.shape[:2] != (fields.height, fields.width):
            raise Refusal(
                Reason.COLOUR,
                f"expected a frame of {fields.width}x{fields.height}, as the dark and flat-field "
                f"frames; "
                f"got {frame.shape[1]}x{frame.shape[0]}",
            )

    def _scaled(self, gains: Float64Array | None) -> Float64Array:
        """Return the matrix ``[3, T]`` from terms of this frame's light to steps of the encoding
        table."""
        matrix = self._matrix * FULL_SCALE
        if gains is None:
            return matrix
        r, g, b = gains
        of_terms = {"linear": (r, g, b), "affine": (r, g, b, 1.0)}
        roots = (r, g, b, np.sqrt(r * g), np.sqrt(g * b), np.sqrt(r * b))
        return np.asarray(matrix * np.array(of_terms.get(self._model, roots)), np.float64)

    def _cut(self, box: Box | None, width: int, height: int) -> _Cut:
        """Return the maps of a region, each ``[H, W, 3]``, cut and resized as its picture was."""
        if self._maps.dark is None and self._maps.gain is None:
            return None, None
        cut = self._cuts.get((box, width, height))
        if cut is None:
            if len(self._cuts) >= _MOST_CUTS:
                self._cuts.clear()
            size = width, height
            cut = _cut_out(self._maps.dark, box, size), _cut_out(self._maps.gain, box, size)
            self._cuts[box, width, height] = cut
        return cut

    def _correct_one(self, picture: UInt8Array, maps: _Cut, matrix: Float64Array) -> None:
        if self._light.shape != picture.shape:
            self._light = np.empty(picture.shape, np.float32)
            self._corrected = np.empty(picture.shape, np.float32)
            self._index = np.empty(picture.shape, np.uint16)
        light, corrected = self._light, self._corrected
        cv2.LUT(picture, decoding(), dst=light)
        dark, gain = maps
        if dark is not None:
            cv2.subtract(light, dark, dst=light)
        if gain is not None:
            cv2.multiply(light, gain, dst=light)
        if self._model == "root-polynomial":
            _root_polynomial(light, matrix, corrected)
        else:
            cv2.transform(light, matrix, dst=corrected)
        # Rounds, and cuts off what lies outside 0 to full scale.
        cv2.addWeighted(corrected, 1.0, corrected, 0.0, 0.0, dst=self._index, dtype=cv2.CV_16U)
        np.take(encoding(), self._index, out=picture, mode="clip")


def _cut_out(field: Float32Array | None, box: Box | None, size: tuple[int, int]) -> Float32Array | None:
    if field is None:
        return None
    if box is not None:
        field = field[box.y : box.y + box.h, box.x : box.x + box.w]
    return np.asarray(cv2.resize(field, size, interpolation=cv2.INTER_AREA), np.float32)


def _root_polynomial(light: Float32Array, matrix: Float64Array, out: Float32Array) -> None:
    np.maximum(light, 0.0, out=light)
    r, g, b = light[..., 0], light[..., 1], light[..., 2]
    roots = np.sqrt(np.stack([r * g, g * b, r * b], axis=-1))
    cv2.add(cv2.transform(light, matrix[:, :3]), cv2.transform(roots, matrix[:, 3:]), dst=out)


def _check_gains(gains: Float64Array) -> None:
    # Written so that a NaN is refused.
    if not (float(gains.max()) <= LARGEST_GAIN and float(gains.min()) >= 1.0 / LARGEST_GAIN):
        shown = ", ".join(f"{gain:.2f}" for gain in gains)
        raise Refusal(
            Reason.COLOUR,
            f"the light is too far from that of the calibration: expected gains on R, G, B between "
            f"{1 / LARGEST_GAIN:g} and {LARGEST_GAIN:g}; got {shown}",
        )
