"""How much of the values something beside the analyte's colour tells: a kind, or a few numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from analyte.contract.arrays import Float64Array

PER_KIND = 3.0
"""Samples for each kind, on average, below which kinds are as many as the samples."""
_RELABELLINGS = 200


def share_explained(kinds: Sequence[str], values: Float64Array) -> float:
    """Return the share of the variance of the ranks of ``values`` that kinds explain, 0 to 1.

    Epsilon squared, 1 - MS_within / MS_total, which allows for how many kinds there are (Kelley, "An unbiased
    correlation ratio measure", 1935), and 0 where relabelling at random reaches as much more often than once
    in `_RELABELLINGS`. Of ranks, so that a few extreme values do not decide it.
    """
    values = ranks_of(values)
    kind = np.unique(np.asarray(kinds, np.str_), return_inverse=True)[1]
    count = int(kind.max()) + 1 if len(kind) else 0
    freedom = len(values) - count
    total = float(np.sum((values - values.mean()) ** 2)) if len(values) else 0.0
    if count < 2 or freedom < 1 or total == 0:
        return 0.0

    def within(assigned: npt.NDArray[np.intp]) -> float:
        sums = np.bincount(assigned, values - values.mean(), count)
        return total - float(np.sum(sums**2 / np.bincount(assigned, minlength=count)))

    found = within(kind)
    rng = np.random.default_rng(0)
    if any(within(rng.permutation(kind)) <= found for _ in range(_RELABELLINGS)):
        return 0.0
    return max(0.0, 1.0 - (found / freedom) / (total / (len(values) - 1)))


def ranks_of(values: Float64Array) -> Float64Array:
    """Return ranks; equal values share the middle of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle: Float64Array = (np.cumsum(counts) - (counts - 1) / 2.0)[inverse]
    return middle


def share_predicted(known: Float64Array, values: Float64Array, groups: npt.NDArray[np.str_]) -> float:
    """Return the share of the variance of ``values`` that a parabola in ``known``, ``[N, K]``, predicts.

    Each of up to ten sets of groups (``[N]``, names) is predicted from the others; 0 where those are too few.
    Negative where the mean would do better.
    """
    fold = np.unique(groups, return_inverse=True)[1] % 10
    terms = np.concatenate([np.ones((len(known), 1)), known, known**2], axis=1)
    error = 0.0
    for left_out in np.unique(fold):
        held = fold == left_out
        if held.all() or (~held).sum() < 2 * terms.shape[1]:
            return 0.0
        coefficients = np.linalg.lstsq(terms[~held], values[~held], rcond=1e-9)[0]
        error += float(np.sum((values[held] - terms[held] @ coefficients) ** 2))
    total = float(np.sum((values - values.mean()) ** 2))
    return 1.0 - error / total if total > 0 else 0.0
