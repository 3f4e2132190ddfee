"""Checks of the values: what of the range was ever shown, and how evenly."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from analyte.contract.arrays import Float64Array
from analyte.contract.dataset import Sample
from analyte.train.inspection.finding import Finding, count, shown
from analyte.train.inspection.inspection import Inspection, finding

MOST_LEVELS = 30
"""Values are levels (standards) where at most so many different ones occur, several times each."""
_PER_LEVEL = 3.0
BINS = 10
"""Parts of the declared range in which continuous values are counted."""
_THIN_SHARE = 0.1
"""Share of the samples of an average level or bin below which one is called thin."""
_THIN_COUNT = 3
_UNCOVERED = 0.1
"""Share of the declared range at one end of it that no training sample shows."""


def levels_of(values: Sequence[float] | Float64Array) -> list[float] | None:
    """Return the levels, sorted, where values are levels; None where they are continuous."""
    distinct = sorted({float(value) for value in values})
    return distinct if len(distinct) <= MOST_LEVELS and len(values) >= _PER_LEVEL * len(distinct) else None


def bin_edges(low: float, high: float) -> Float64Array:
    """Return the edges of `BINS` equal parts of the declared range, ``[BINS + 1]``."""
    return np.linspace(low, high, BINS + 1)


def check_extrapolation(inspection: Inspection) -> list[Finding]:
    """Test values that training does not enclose, or levels that it does not show."""
    training, test = inspection.training, inspection.test
    if not training or not test:
        return []
    known = [sample.value for sample in training]
    low, high = min(known), max(known)
    beyond = [sample for sample in test if not low <= sample.value <= high]
    findings: list[Finding] = []
    if beyond:
        findings.append(
            finding(
                "test-beyond-training",
                "warning",
                f"{count(len(beyond), 'test sample')} with values outside those of training, "
                f"{shown(low)} to {shown(high)} {inspection.unit}: their errors are those of extrapolation",
                "Add such values to training, or leave them out of the test and of the declared range",
                at=inspection.where(beyond),
            )
        )
    levels = levels_of([sample.value for sample in inspection.samples])
    if levels is not None:
        unseen = Counter(s.value for s in test if low <= s.value <= high and s.value not in set(known))
        if unseen:
            findings.append(
                finding(
                    "level-only-in-test",
                    "note",
                    f"{count(len(unseen), 'level')} of the test split without a training sample: those "
                    "errors are those of interpolation",
                    "Right if meant so; otherwise give every level to both",
                    at=inspection.where([sample for sample in test if sample.value in unseen]),
                    details=[
                        f"{shown(level)} {inspection.unit} ({n})" for level, n in sorted(unseen.items())
                    ],
                )
            )
    return findings


def check_coverage(inspection: Inspection) -> list[Finding]:
    """A declared range of which training shows a part only; one value only."""
    low, high = inspection.dataset.spec.range
    known = [sample.value for sample in inspection.training]
    if not known:
        return []
    if min(known) == max(known):
        return [
            finding(
                "one-value",
                "error",
                f"all samples to learn from have the value {shown(known[0])} {inspection.unit}",
                "Add samples of other values",
            )
        ]
    least = _UNCOVERED * (high - low)
    gaps = [
        f"{shown(start)} to {shown(end)} {inspection.unit}"
        for start, end in ((low, min(known)), (max(known), high))
        if end - start > least
    ]
    if not gaps:
        return []
    return [
        finding(
            "range-not-covered",
            "warning",
            f"the declared range is {shown(low)} to {shown(high)} {inspection.unit}, and training shows "
            f"{shown(min(known))} to {shown(max(known))}: readings beyond would be guesses reported as good",
            "Narrow the range in dataset.toml, or add samples there",
            details=gaps,
        )
    ]


def check_balance(inspection: Inspection) -> list[Finding]:
    """Levels, or tenths of the range, of which training shows almost nothing."""
    training = inspection.training
    levels = levels_of([sample.value for sample in inspection.samples])
    if len(training) < 2 * BINS:
        return []
    values = np.asarray([sample.value for sample in training], np.float64)
    if levels is not None:
        seen = Counter(values.tolist())
        counts = [(f"{shown(level)}", seen[level]) for level in levels if seen[level]]
        average = len(training) / len(counts)
    else:
        edges = bin_edges(*inspection.dataset.spec.range)
        found, _ = np.histogram(values, edges)
        # What lies beyond the values shown is `range-not-covered`.
        inside = (edges[1:] > values.min()) & (edges[:-1] <= values.max())
        counts = [
            (f"{shown(start)} to {shown(end)}", int(n))
            for start, end, n, counted in zip(edges[:-1], edges[1:], found, inside, strict=True)
            if counted
        ]
        average = len(training) / len(counts)
    limit = max(_THIN_COUNT, math.ceil(_THIN_SHARE * average))
    thin = [(name, n) for name, n in counts if n < limit]
    if not thin:
        return []
    kind = "level" if levels is not None else "tenth of the range"
    return [
        finding(
            "thin-levels",
            "warning",
            f"{len(thin)} of "
            f"{count(len(counts), kind, 'levels' if levels is not None else 'tenths of the range')} with "
            f"fewer than {limit} samples to learn from, where {average:.3g} is the average: "
            f"{_mostly(training, inspection)}",
            "Add samples there, or expect larger errors there and look at the errors by level",
            details=[f"{name} {inspection.unit} ({n})" for name, n in thin],
        )
    ]


def _mostly(training: tuple[Sample, ...], inspection: Inspection) -> str:
    low, high = np.quantile([sample.value for sample in training], [0.1, 0.9])
    return f"four in five lie within {shown(low)} to {shown(high)} {inspection.unit}"
