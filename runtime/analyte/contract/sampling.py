"""Choosing a few samples that stand for all: every session, and every level of each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analyte.contract.arrays import Float64Array

TRAVELLING = 512
"""Samples of each split that travel with a run, for quantization and its gate."""


def spread_over_levels(
    values: Float64Array, sessions: Sequence[str], limit: int = TRAVELLING, *, seed: int
) -> list[int]:
    """Choose up to ``limit`` samples that cover sessions and levels evenly; return their indices.

    ``values``: ``[N]``, label's unit. ``sessions``: names ``[N]``. Samples are taken in turn from every
    session, each session's own in an order that spreads over its values.
    """
    if len(values) <= limit:
        return list(range(len(values)))
    rng = np.random.default_rng(seed)
    queues: dict[str, list[int]] = {}
    order: list[int] = np.argsort(values, kind="stable").tolist()
    for index in order:
        queues.setdefault(sessions[index], []).append(index)
    for name, queue in queues.items():
        # Every k-th of the sorted values first, then the next offset: any prefix spans the levels.
        step = max(1, len(queue) * len(queues) // limit)
        start = int(rng.integers(step))
        queues[name] = [i for offset in range(step) for i in queue[(start + offset) % step :: step]]
    chosen: list[int] = []
    depth = 0
    while len(chosen) < limit:
        chosen += [queue[depth] for queue in queues.values() if depth < len(queue)]
        depth += 1
    return sorted(chosen[:limit])
