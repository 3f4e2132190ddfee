"""How far a value moves when a photograph is turned about its middle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from analyte.contract.arrays import Float64Array, UInt8Array
from analyte.contract.dataset import Sample

ANGLES = 72
"""Angles of the full circle: every 5 degrees, the quarter turns among them."""
_QUARTER = ANGLES // 4


@dataclass(frozen=True, slots=True)
class RotationCurve:
    """The values of one picture at `ANGLES` angles, in the label's unit."""

    sample_id: str
    true: float
    values: Float64Array
    """``[ANGLES]``, counter-clockwise, from 0 degrees in steps of 360 / ANGLES."""

    @property
    def deviation(self) -> Float64Array:
        """Distance of each value from that of the picture as taken, ``[ANGLES]``."""
        deviation: Float64Array = self.values - self.values[0]
        return deviation

    @property
    def quarter_turns(self) -> Float64Array:
        """The deviations at 90, 180 and 270 degrees, ``[3]``: no pixel is interpolated there."""
        return self.deviation[_QUARTER::_QUARTER]


def rotation_curves(
    turned: Callable[[UInt8Array, int], Float64Array],
    pictures: UInt8Array,
    true: Float64Array,
    samples: Sequence[Sample],
) -> tuple[RotationCurve, ...]:
    """Turn a picture of a low, a middle and a high value; fewer where there are fewer.

    ``pictures``: uint8 ``[N, V, S, S, 3]``, RGB. ``true``: ``[N]``, label's unit. ``turned``: from turned
    pictures ``[ANGLES, V, S, S, 3]`` of the sample with that index to the network's values ``[ANGLES]``.
    """
    order = np.argsort(true, kind="stable")
    chosen = dict.fromkeys(int(order[at]) for at in (0, len(order) // 2, -1))
    return tuple(
        RotationCurve(samples[i].id, float(true[i]), turned(turn_all(pictures[i]), i)) for i in chosen
    )


def turn_all(views: UInt8Array) -> UInt8Array:
    """Return the views ``[V, S, S, 3]`` of one sample turned together, uint8 ``[ANGLES, V, S, S, 3]``.

    Counter-clockwise about the middle. Quarter turns are exact. Other angles are interpolated (bilinear), and
    the corners filled by reflection, which changes a picture a little by itself.
    """
    size = views.shape[1]
    middle = (size - 1) / 2
    result = np.empty((ANGLES, *views.shape), np.uint8)
    for step in range(ANGLES):
        matrix = cv2.getRotationMatrix2D((middle, middle), 360.0 * step / ANGLES, 1.0)
        for view, picture in enumerate(views):
            if step % _QUARTER == 0:
                result[step, view] = np.rot90(picture, step // _QUARTER)
            else:
                result[step, view] = cv2.warpAffine(
                    picture, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
                )
    return result
