"""What the quality check is to the pipeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from analyte.contract.arrays import UInt8Array
from analyte.contract.reading import Flag, Reason
from analyte.runtime.regions.protocol import Site


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was measured of one site's pictures."""

    figures: Mapping[str, float]
    """By the names of `QualitySection`; units stand there. The worst of the site's views."""
    flags: tuple[Flag, ...] = ()
    reason: Reason | None = None
    """Why the reading is refused; None when it is not."""
    detail: str = ""
    """What was expected and got, where there is a flag or a reason."""

    def joined(self, other: Verdict) -> Verdict:
        """Return both as one: all flags, the first reason, and where both have a figure that of the worse."""
        first, last = (self, other) if self._gravity < other._gravity else (other, self)
        return Verdict(
            {**first.figures, **last.figures},
            tuple(dict.fromkeys((*self.flags, *other.flags))),
            self.reason or other.reason,
            "; ".join(filter(None, (self.detail, other.detail))),
        )

    @property
    def _gravity(self) -> int:
        return 2 if self.reason is not None else 1 if self.flags else 0


class QualityCheck(Protocol):
    """Measures the quality of cut-out pictures. May remember the frame before."""

    def examine(
        self, frame: UInt8Array, sites: Sequence[Site], pictures: UInt8Array, views: Sequence[str]
    ) -> list[Verdict]:
        """Return the verdict of each site, before any colour correction.

        ``frame``: uint8 ``[H, W, 3]``, BGR, the located frame, not to be altered. ``pictures``: uint8
        ``[K, V, S, S, 3]``, RGB, cut out of it for K sites with the V ``views``, in their order; all within
        the frame.
        """
        ...
