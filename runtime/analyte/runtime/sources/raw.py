"""From a sensor's raw numbers to a picture: black level, colours, and the curve that pictures have."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from analyte.contract.arrays import UInt8Array
from analyte.contract.errors import ImageError
from analyte.contract.sections.camera import RawSection

_DEMOSAIC = {
    "RGGB": cv2.COLOR_BayerRGGB2BGR,
    "BGGR": cv2.COLOR_BayerBGGR2BGR,
    "GRBG": cv2.COLOR_BayerGRBG2BGR,
    "GBRG": cv2.COLOR_BayerGBRG2BGR,
}
"""By the first two pixels of the first two rows, left to right."""


class Developer:
    """Turns raw frames into sRGB ones, by the same tables for every frame.

    The rest of the measuring takes pictures for sRGB (IEC 61966-2-1): a raw sensor counts light, so its
    numbers get that curve. Interpolating colours comes first, on the sensor's full depth.
    """

    def __init__(self, raw: RawSection) -> None:
        self._pattern = raw.pattern
        self._bits = raw.bits
        self._highest = 2**raw.bits - 1
        red, blue = raw.white_balance_gains
        self._tables = [_table(raw, gain) for gain in (blue, 1.0, red)]

    def develop(self, sensor: npt.NDArray[np.generic], *, where: object) -> UInt8Array:
        """Return the picture: uint8 ``[H, W]`` for a grey sensor, else ``[H, W, 3]``, BGR.

        ``sensor``: ``[H, W]`` or ``[H, W, 1]``, uint8 for 8 bits, else uint16, the number in the low bits.
        Raises: ImageError for another layout or depth, or numbers beyond the sensor's bits.
        """
        if sensor.ndim == 3 and sensor.shape[2] == 1:
            sensor = sensor[:, :, 0]
        wanted = np.uint8 if self._bits == 8 else np.uint16
        if sensor.ndim != 2 or sensor.dtype != wanted or 0 in sensor.shape:
            raise ImageError(
                "not a raw frame as camera.raw says",
                where=where,
                expected=f"one number per pixel, {np.dtype(wanted)}",
                got=f"{list(sensor.shape)}, {sensor.dtype}",
            )
        counts: npt.NDArray[np.unsignedinteger] = np.ascontiguousarray(sensor, wanted)
        if self._bits not in (8, 16) and int(counts.max()) > self._highest:
            raise ImageError(
                "the raw frame has more bits than camera.raw.bits says",
                where=where,
                expected=f"at most {self._highest}",
                got=int(counts.max()),
            )
        if self._pattern == "grey":
            return np.take(self._tables[1], counts)
        if min(counts.shape) < 4:
            raise ImageError("the raw frame is too small", where=where, expected="4x4 or more")
        colours: npt.NDArray[np.unsignedinteger]
        colours = np.asarray(cv2.cvtColor(counts, _DEMOSAIC[self._pattern]), wanted)
        picture = np.empty(colours.shape, np.uint8)
        for channel, table in enumerate(self._tables):
            np.take(table, colours[:, :, channel], out=picture[:, :, channel])
        return picture


def _table(raw: RawSection, gain: float) -> UInt8Array:
    """Return the level, 0 to 255, of every number that the sensor can give."""
    full = 2**raw.bits - 1
    light = (np.arange(2**raw.bits) - raw.black_level) / (full - raw.black_level) * gain
    # Clipped before the curve: with gains, a saturated pixel is white and not coloured.
    light = np.clip(light, 0.0, 1.0)
    # A gain below 1 must not hide from the checks for clipping that the sensor could count no further.
    light[full] = 1.0
    curve = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray(np.round(255.0 * curve), np.uint8)
