"""Choosing a few samples that stand for all: every session, and every level of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from analyte.contract.arrays import Float64Array

TRAVELLING = 512
"""Samples of each split that travel with a run, for quantization and its gate."""
_EACH = 8
"""Samples of a session below which they cannot show its levels; then levels come first."""


def spread_over_levels(values: Float64Array, sessions: Sequence[str], limit: int = TRAVELLING) -> list[int]:
    """Choose up to ``limit`` samples that cover sessions and levels evenly; return their indices, sorted.

    ``values``: ``[N]``, label's unit. ``sessions``: names ``[N]``. Every session gives the same number, as
    far as it has so many, evenly spaced over its own values from the lowest to the highest; where there are
    too many sessions for that, samples are evenly spaced over all values.
    """
    if len(values) <= limit:
        return list(range(len(values)))
    names, member = np.unique(list(sessions), return_inverse=True)
    order = np.argsort(values, kind="stable")
    if len(names) * _EACH > limit:
        return sorted(_evenly(order, limit))
    by_session = sorted((order[member[order] == index] for index in range(len(names))), key=len)
    chosen: list[int] = []
    for index, own in enumerate(by_session):
        # What small sessions lack, larger ones give.
        share = (limit - len(chosen)) // (len(by_session) - index)
        chosen += _evenly(own, min(share, len(own)))
    return sorted(chosen)


def _evenly(order: Any, count: int) -> list[int]:
    """Return ``count`` of the indices, the first and the last among them, evenly spaced."""
    picked: list[int] = order[np.linspace(0, len(order) - 1, count).round().astype(int)].tolist()
    return picked
