"""What every colour correction is to the pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from analyte.contract.arrays import UInt8Array
from analyte.contract.preprocessing import Box


@dataclass(frozen=True, slots=True)
class ColourRecord:
    """What was done to the colours of a reading; it stands in the reading."""

    method: str
    """``dark``, ``flat``, ``white``, ``chart`` or several of them, joined by ``+``."""
    residual_delta_e: float | None = None
    """Mean residual of the chart's patches after correction, Delta E 2000; None without a chart."""
    age_days: float | None = None
    """Age of the calibration, days."""
    gains: tuple[float, ...] | None = None
    """Factors on linear R, G, B of this frame; of several, one after the other. None where there is no white
    patch."""

    def joined(self, other: ColourRecord) -> ColourRecord:
        """Return what was done to this frame and then to another one, by the same calibration."""
        gains = (*(self.gains or ()), *(other.gains or ()))
        return replace(self, gains=gains or None)


class ColourCorrector(Protocol):
    """Brings the colours of cut-out pictures to those of the calibration."""

    @property
    def method(self) -> str:
        """As in `ColourRecord`."""
        ...

    def correct(self, frame: UInt8Array, boxes: Sequence[Box | None], pictures: UInt8Array) -> ColourRecord:
        """Correct ``pictures`` in place.

        ``frame``: uint8 ``[H, W, 3]``, BGR, the located frame, not to be altered. ``boxes``: ``[M]``,
        where each picture was cut out, None for the whole frame. ``pictures``: uint8 ``[M, H, W, 3]``,
        RGB, each of them contiguous; square but for whole frames.
        Raises: `Refusal` with COLOUR.
        """
        ...
