"""What no profile has to ask for: a picture that shows nothing is never measured."""

from __future__ import annotations

import cv2

from analyte.contract.arrays import UInt8Array
from analyte.contract.reading import Reason
from analyte.runtime.refusal import Refusal

_BLACK_UP_TO = 2.0
_WHITE_FROM = 253.0


def refuse_empty(pictures: UInt8Array) -> None:
    """Refuse a site one of whose views is black or saturated all over: uint8 ``[V, S, S, 3]``, 0 to 255.

    By the mean level of each channel: a few hot pixels make no picture of a covered lens.
    Raises: Refusal with EXPOSURE where no channel's mean is above 2, CLIPPED where none is below 253.
    """
    for picture in pictures:
        means = cv2.mean(picture)[:3]
        if max(means) <= _BLACK_UP_TO:
            detail = f"expected a picture; got a black one, mean level {max(means):.1f} of 255"
            raise Refusal(Reason.EXPOSURE, detail)
        if min(means) >= _WHITE_FROM:
            detail = f"expected a picture; got a saturated one, mean level {min(means):.1f} of 255"
            raise Refusal(Reason.CLIPPED, detail)
