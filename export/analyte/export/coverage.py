"""Whether the training pictures, which integers are calibrated on, cover what is to be read."""

from __future__ import annotations

import numpy as np

from analyte.contract.arrays import Float64Array
from analyte.contract.label import LabelSpec
from analyte.contract.run import RunSamples

_LEVELS = 20
"""Up to so many different values are levels that somebody prepared; more are a continuum."""
_PARTS = 10
"""Parts of the range, each of which needs a picture where values are a continuum."""


def levels_missing(samples: RunSamples, label: LabelSpec) -> list[str]:
    """Return what the calibration pictures miss, in words; empty when they cover range and levels."""
    train, val = samples.train_values, samples.val_values
    known = np.unique(np.concatenate([train, val]))
    missing = _absent(train, known) if len(known) <= _LEVELS else []
    gaps = _gaps(train, label, _PARTS if len(known) > _LEVELS else 2)
    said = []
    if missing:
        said.append(f"level {', '.join(f'{level:g}' for level in missing)}")
    said += [f"anything from {low:g} to {high:g}" for low, high in gaps]
    if not said:
        return []
    return [
        f"no training picture shows {'; or '.join(said)} {label.unit}: integer formats are not calibrated "
        "there, and nothing is known of their error"
    ]


def _absent(train: Float64Array, known: Float64Array) -> list[float]:
    return [float(level) for level in known if not np.any(train == level)]


def _gaps(train: Float64Array, label: LabelSpec, parts: int) -> list[tuple[float, float]]:
    """Return the parts of the range without a picture, neighbours joined, label's unit."""
    edges = np.linspace(label.low, label.high, parts + 1)
    counts, _ = np.histogram(train, edges)
    gaps: list[tuple[float, float]] = []
    for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
        if count:
            continue
        if gaps and gaps[-1][1] == low:
            low = gaps.pop()[0]
        gaps.append((float(low), float(high)))
    return gaps
