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
        """Return both as one: all flags, the first reason, and where both have a figure the one that is
        refused or flagged; this one's where they are alike in that."""
        figures = dict(self.figures)
        for name, figure in other.figures.items():
            if name not in figures or other._gravity_of(name) > self._gravity_of(name):
                figures[name] = figure
        return Verdict(
            figures,
            tuple(dict.fromkeys((*self.flags, *other.flags))),
            self.reason or other.reason,
            "; ".join(filter(None, (self.detail, other.detail))),
        )

    def _gravity_of(self, figure: str) -> int:
        """Return 2 where a figure is why it is refused, 1 where it is flagged for it, else 0."""
        return 2 if self.reason == figure else int(figure in self.flags)


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
