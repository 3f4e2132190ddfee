"""Finding, among thousands, pictures that were saved again and specimens that were photographed twice."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analyte.contract.arrays import Float32Array, UInt8Array
from analyte.contract.dataset import Sample
from analyte.train.inspection.resemblance import Resemblance, fit_resemblance

_FALSE_PAIRS = 0.01
"""Pairs that would be reported by chance in a dataset without any copy, if the model were true."""
_ALIKE_SHARE, _SAME_SHARE = 0.4, 0.85
"""Shares of what equal pictures reach that look-alikes, and the same picture, must reach: copies come near
to it, and the tails of what other specimens reach are fatter than the model's."""
_BEYOND_CHANCE = 10.0
"""Natural logarithm of how much likelier than by chance the same picture must be."""
_GAP = 1.5
"""A pair, or the cluster it is in, is this many times closer than whatever comes next."""
_LARGEST_CLUSTER, _LEAST_CLUSTER = 0.05, 4
"""Share of the dataset, and number of samples, beyond which a cluster is what pictures have in common
(blanks, on which nothing is to be seen), not a set of copies."""
_BLOCK = 1024
_SMALLEST = 1e-2
"""Squared distances below this are those of equal pictures, with float32's rounding."""
_MOST_PAIRS = 5_000
"""Candidates of one symmetry beyond which there is no point in looking at more."""


@dataclass(frozen=True, slots=True)
class LookAlike:
    """Two samples (by index) that are more alike than different specimens are."""

    first: int
    second: int
    same_picture: bool
    """Whether they differ no more than by resizing and saving again, beyond doubt."""
    turned: bool
    """Whether one has to be turned or mirrored for that."""
    difference: float
    """Mean absolute difference of the thumbnails, 8-bit levels."""


Pairs = Callable[[npt.NDArray[np.intp]], npt.NDArray[np.bool_]]
"""From indices ``[B]`` to a mask ``[B, N]`` of the samples with which each of them is to be compared."""


def find_look_alikes(
    samples: Sequence[Sample],
    thumbnails: UInt8Array,
    sessions: Sequence[str],
    view_hashes: npt.NDArray[np.str_],
    *,
    wanted: Pairs,
    turns: bool,
) -> list[LookAlike]:
    """Compare all wanted pairs of samples.

    ``thumbnails``: uint8 ``[N, V, T, T, 3]``, RGB. ``sessions``: ``[N]``. ``view_hashes``: ``[N, V]``; views
    with the same hash are one file, such as a reference that a session shares, and say nothing of the
    specimen, and samples with all views the same are left out. ``turns``: whether to try all turns and
    mirror images.
    With fewer than about ten samples there is too little to compare with, and nothing is found.
    """
    if len(samples) < 3:
        return []
    model = fit_resemblance(samples, thumbnails, sessions)
    symmetries = range(8 if turns else 1)
    by_chance = math.log(len(samples) * (len(samples) - 1) / 2 * len(symmetries) / _FALSE_PAIRS)
    if sum(model.most) < by_chance:
        return []
    coordinates = model.coordinates(thumbnails)
    centre = coordinates.mean(axis=0)  # smaller numbers, so that float32 suffices
    upright = _Points.of(coordinates - centre)
    found: dict[tuple[int, int], LookAlike] = {}
    for symmetry in symmetries:
        turned = _turned(thumbnails, symmetry)
        points = _Points.of(model.coordinates(turned) - centre) if symmetry else upright
        search = _Search(model, upright, points, view_hashes, by_chance)
        for first, second in search.candidates(wanted):
            same_picture = search.judge(first, second)
            if same_picture is not None and (first, second) not in found:
                difference = float(np.abs(turned[first].astype(int) - thumbnails[second]).mean())
                found[first, second] = LookAlike(first, second, same_picture, symmetry > 0, difference)
    return [found[pair] for pair in sorted(found)]


def _turned(thumbnails: UInt8Array, symmetry: int) -> UInt8Array:
    """Return one of the eight turns and mirror images of ``[N, V, T, T, 3]``; 0 leaves it as it is."""
    turned = np.rot90(thumbnails, symmetry % 4, axes=(2, 3))
    return np.ascontiguousarray(turned[:, :, ::-1] if symmetry >= 4 else turned)


@dataclass(frozen=True, slots=True)
class _Points:
    """Samples as points, all views together."""

    at: Float32Array
    """``[N, K]``."""
    squares: Float32Array
    """``[N]``: squared length of each."""

    @classmethod
    def of(cls, at: Float32Array) -> _Points:
        return cls(at, np.einsum("nk,nk->n", at, at))

    def squared_distances(self, others: Float32Array) -> Float32Array:
        """Return ``[M, N]`` for points ``[M, K]``."""
        lengths = np.einsum("mk,mk->m", others, others)[:, np.newaxis]
        distances: Float32Array = lengths + self.squares - 2.0 * others @ self.at.T
        return distances


@dataclass(frozen=True, slots=True)
class _Search:
    """One symmetry: samples turned by it against samples as they are."""

    model: Resemblance
    upright: _Points
    turned: _Points
    view_hashes: npt.NDArray[np.str_]
    by_chance: float
    """Logarithm of the likelihood ratio that a pair reaches by chance in one dataset of 1 / _FALSE_PAIRS."""

    def candidates(self, wanted: Pairs) -> list[tuple[int, int]]:
        """Return pairs whose likelihood ratio over all views suffices."""
        # float32 loses some digits of a difference of squares; `judge` works on the differences themselves.
        limit = 4.0 * (sum(self.model.most) - self.by_chance) + 8.0
        pairs: list[tuple[int, int]] = []
        for start in range(0, len(self.turned.at), _BLOCK):
            block = np.arange(start, min(start + _BLOCK, len(self.turned.at)))
            rows, columns = np.nonzero(self.upright.squared_distances(self.turned.at[block]) <= limit)
            once = columns > rows + start
            rows, columns = rows[once], columns[once]
            if len(rows):
                asked = wanted(block)[rows, columns]
                pairs += zip(block[rows[asked]].tolist(), columns[asked].tolist(), strict=True)
            if len(pairs) > _MOST_PAIRS:
                break
        return pairs[:_MOST_PAIRS]

    def judge(self, first: int, second: int) -> bool | None:
        """Return whether a pair is the same picture beyond doubt; None where it is no finding at all."""
        own = self.view_hashes[first] != self.view_hashes[second]
        difference = self.turned.at[first].astype(np.float64) - self.upright.at[second]
        ratio, most = 0.0, 0.0
        for view in np.flatnonzero(own):
            most += self.model.most[view]
            ratio += self.model.most[view] - float(np.sum(difference[self.model.parts[view]] ** 2)) / 4.0
        if not own.any() or ratio < max(self.by_chance, _ALIKE_SHARE * most):
            return None
        # The model is Gaussian, and pictures need not be: where many are alike, such as digits that are one
        # stroke, the closest of them have others nearly as close.
        if not _stands_apart(self.upright, self.turned.at[first], first, second):
            return None
        if not _stands_apart(self.turned, self.upright.at[second], second, first):
            return None
        return ratio >= max(self.by_chance + _BEYOND_CHANCE, _SAME_SHARE * most)


def _stands_apart(others: _Points, point: Float32Array, at: int, partner: int) -> bool:
    """Whether sample ``at``, at ``point``, and its partner are alone or in a cluster, a gap around it."""
    distances = np.sqrt(np.maximum(others.squared_distances(point[np.newaxis])[0], _SMALLEST))
    ordered = np.sort(np.delete(distances, at))
    rank = int(np.searchsorted(ordered, distances[partner], side="right"))
    largest = max(_LEAST_CLUSTER - 1, int(_LARGEST_CLUSTER * len(ordered)))
    steps = ordered[rank - 1 : largest + 1]
    return bool(np.any(steps[1:] >= _GAP * steps[:-1]))
