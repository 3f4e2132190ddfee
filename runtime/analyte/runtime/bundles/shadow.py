"""Two bundles on the same frames: how far the readings of a new one lie from those of the old."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from analyte.contract.event import JsonValue
from analyte.contract.reading import Reading

MAX_APART = 0.05
"""Largest share of pairs of intervals without a common value. Each leaves out one true value in twenty; both
on different sides is far rarer."""


@dataclass(slots=True)
class ShadowReport:
    """What was found so far; differences are the new one's value minus the old one's, label's unit."""

    readings: int = 0
    compared: int = 0
    """Both gave a value."""
    refused_by_new: int = 0
    """The old one gave a value."""
    refused_by_old: int = 0
    """The new one gave a value."""
    apart: int = 0
    """The intervals have no value in common: one of them is wrong."""
    mean_difference: float = 0.0
    mean_absolute: float = 0.0
    largest: float = 0.0
    """Absolute."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Why the new one refused what the old one measured, by reason."""

    def add(self, old: Reading, new: Reading) -> None:
        """Take in two readings of one site of one frame."""
        self.readings += 1
        if old.refused != new.refused:
            self.refused_by_new += new.refused
            self.refused_by_old += old.refused
            if new.refused:
                self.reasons[str(new.reason)] += 1
        if old.value is None or new.value is None:
            return
        self.compared += 1
        difference = new.value - old.value
        self.mean_difference += (difference - self.mean_difference) / self.compared
        self.mean_absolute += (abs(difference) - self.mean_absolute) / self.compared
        self.largest = max(self.largest, abs(difference))
        self.apart += _apart(old, new)

    def to_json(self) -> JsonValue:
        """Return the figures by name."""
        return {
            "readings": self.readings,
            "compared": self.compared,
            "refused_by_new": self.refused_by_new,
            "refused_by_old": self.refused_by_old,
            "apart": self.apart,
            "mean_difference": self.mean_difference,
            "mean_absolute": self.mean_absolute,
            "largest": self.largest,
            "reasons": {**self.reasons},
        }


@dataclass(frozen=True, slots=True)
class ShadowLimits:
    """When a new bundle may take over without a person."""

    readings: int
    """How many have to be compared."""
    max_difference: float
    """Largest mean absolute difference, label's unit."""
    max_refused: float
    """Largest share of what the old one measured that the new one may refuse, 0 to 1."""

    def objection(self, report: ShadowReport, unit: str) -> str | None:
        """Return why the new one may not take over; None when it may."""
        measured_by_old = report.compared + report.refused_by_new
        if report.refused_by_new > self.max_refused * measured_by_old:
            return (
                f"it refuses {report.refused_by_new} of {measured_by_old} readings that the running one "
                f"gives ({', '.join(report.reasons)}); expected at most {self.max_refused:.0%}"
            )
        if report.apart > MAX_APART * report.compared:
            return (
                f"{report.apart} of {report.compared} pairs of intervals have no value in common: "
                "one of the two bundles is wrong"
            )
        if not math.isfinite(report.mean_absolute) or report.mean_absolute > self.max_difference:
            return (
                f"its readings differ by {report.mean_absolute:.4g} {unit} on average; "
                f"expected at most {self.max_difference:.4g}"
            )
        return None


def _apart(old: Reading, new: Reading) -> bool:
    ends: Sequence[float | None] = (old.lower, old.upper, new.lower, new.upper)
    if any(end is None for end in ends):
        return False
    old_low, old_high, new_low, new_high = (float(end) for end in ends if end is not None)
    return old_low > new_high or new_low > old_high
