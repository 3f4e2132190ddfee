"""Charts that see a small lasting shift long before a single control is far out.

Montgomery DC, Introduction to Statistical Quality Control, 7th ed., Wiley 2013, chapter 9.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from analyte.contract.sections.control import DriftSection


@dataclass(frozen=True, slots=True)
class DriftState:
    """Where the chart of one material stands after its newest control; all in units of s."""

    upper: float
    """CUSUM: the sum of what lay above, 0 or more. EWMA: the average."""
    lower: float
    """CUSUM: minus the sum of what lay below, 0 or less. EWMA: the average."""
    limit: float
    """What neither may exceed in size."""

    @property
    def alarm(self) -> bool:
        """Whether the newest control leaves the chart beyond its limit."""
        return self.upper > self.limit or self.lower < -self.limit

    @property
    def shift(self) -> float:
        """The end that is farther out, in s; its sign tells the direction."""
        return self.upper if self.upper >= -self.lower else self.lower


def drift_of(z: Sequence[float], section: DriftSection) -> DriftState:
    """Return the state of the chart that a profile asks for after controls ``z``, oldest first, units of s.

    Raises: ValueError without controls.
    """
    if not z:
        raise ValueError("expected at least one control")
    if section.method == "cusum":
        return cusum(z, slack=section.slack, decision=section.decision)
    return ewma(z, weight=section.weight, width=section.width)


def cusum(z: Sequence[float], *, slack: float, decision: float) -> DriftState:
    """Return the tabular CUSUM (Montgomery, eq. 9.2 and 9.3), begun at 0.

    ``C+ = max(0, z - slack + C+)`` and ``C- = max(0, -z - slack + C-)``; the alarm is at ``decision``.
    """
    above = below = 0.0
    for one in z:
        above = max(0.0, one - slack + above)
        below = max(0.0, -one - slack + below)
    return DriftState(above, -below, decision)


def ewma(z: Sequence[float], *, weight: float, width: float) -> DriftState:
    """Return the exponentially weighted moving average (Montgomery, eq. 9.22), begun at 0.

    Its limits are those of the first controls, which are narrower (eq. 9.25 and 9.26):
    ``width * sqrt(weight / (2 - weight) * (1 - (1 - weight)^(2 n)))``.
    """
    average = 0.0
    for one in z:
        average = weight * one + (1.0 - weight) * average
    grown = 1.0 - (1.0 - weight) ** (2 * len(z))
    return DriftState(average, average, width * math.sqrt(weight / (2.0 - weight) * grown))
