"""How much alike two pictures are, judged by what tells pictures of this dataset apart.

Mean difference or correlation cannot tell a copy from another specimen: patches of one concentration under
one lamp differ by a level or two, two digits by a hundred. So both explanations are modelled, and compared:

- another specimen of the same value in the same session: the difference of two thumbnails is Gaussian with
  twice the covariance W of what session and value (linear and squared) leave of them;
- the same picture saved again: it is Gaussian with twice the variance S that resizing and JPEG cause, found
  by doing both to pictures of the dataset.

In directions k in which W = diag(w) and S = 1 at once, the logarithm of the likelihood ratio is
sum_k [ln(1 + w_k) - (1 - 1 / (w_k + 1)) d_k^2 / 2] / 2, the two-covariance model of speaker verification
(Bruemmer, de Villiers, "The speaker partitioning problem", Odyssey 2010) with W between and S within. Its
first part is all that a pair can reach: pictures that hold nothing but one colour stay below any threshold,
and colour that differs more than saving again explains counts against a pair like any other detail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from analyte.contract.arrays import Float32Array, Float64Array, UInt8Array
from analyte.contract.dataset import Sample, View
from analyte.contract.imaging import decode_image, read_image
from analyte.contract.preprocessing import PreprocessingSpec, preprocess
from analyte.train.inspection.survey import THUMBNAIL_PX

_RESAVED = 64
"""Samples on which the cost of saving again is measured."""
_JPEG_QUALITY = 80
_SCALES = (1.0, 0.85, 0.6, 1.4)
_LARGEST_PX = 512
"""Shorter side to which a region is reduced before it is saved again."""
_NOISE = 1.0
"""Variance of a thumbnail's pixel, levels squared, that tells nothing: rounding, and sensor noise."""
_MOST_DIRECTIONS = 256
"""Directions kept over all views, those that tell most: far more than are needed for certainty."""
_MOST_PRINCIPAL = 400
"""Principal directions of W among which they are sought."""
_LEAST_RATIO = 0.5
"""Ratio of W to S below which a direction tells nothing."""
_SHRINKAGE = 0.1
"""Weight of the diagonal in the estimate of S, which rests on few pictures."""


@dataclass(frozen=True, slots=True)
class Resemblance:
    """The model of one dataset: see the module."""

    projections: tuple[Float64Array, ...]
    """By view, ``[F, K_v]``: from thumbnails to coordinates whose squared distance counts a quarter."""
    most: tuple[float, ...]
    """By view: logarithm of the likelihood ratio of two thumbnails that are equal."""

    @property
    def parts(self) -> list[slice]:
        """Where each view's coordinates stand among all."""
        ends = np.cumsum([0, *(projection.shape[1] for projection in self.projections)]).tolist()
        return [slice(start, end) for start, end in pairwise(ends)]

    def coordinates(self, thumbnails: UInt8Array) -> Float32Array:
        """Return ``[N, K]``, the views' coordinates one after another, for thumbnails ``[N, V, T, T, 3]``."""
        by_view = [
            (_flat(thumbnails[:, view]) @ projection).astype(np.float32)
            for view, projection in enumerate(self.projections)
        ]
        return np.concatenate(by_view, axis=1)


def fit_resemblance(
    samples: Sequence[Sample], thumbnails: UInt8Array, sessions: Sequence[str]
) -> Resemblance:
    """Fit the model to samples (N, at least 2) whose pictures can be read.

    ``thumbnails``: uint8 ``[N, V, T, T, 3]``, RGB. ``sessions``: ``[N]``; all alike where there are none.
    """
    values = np.asarray([sample.value for sample in samples], np.float64)
    chosen = np.unique(np.linspace(0, len(samples) - 1, min(_RESAVED, len(samples))).astype(int))
    differences = [
        resaved_difference(view, thumbnails[index, position])
        for index in chosen
        for position, view in enumerate(samples[index].views)
    ]
    views = thumbnails.shape[1]
    saved = _in_all_turns(np.asarray(differences).reshape(len(chosen), views, len(_SCALES), -1))
    each = max(1, _MOST_DIRECTIONS // views)
    fits = [
        _fit_view(
            _flat(thumbnails[:, view]), saved[:, view].reshape(-1, saved.shape[-1]), values, sessions, each
        )
        for view in range(views)
    ]
    return Resemblance(
        projections=tuple(projection for projection, _ in fits),
        most=tuple(most for _, most in fits),
    )


def _in_all_turns(differences: Float64Array) -> Float64Array:
    """Return ``[8 M, V, scales, F]`` for ``[M, V, scales, F]``: saving acts alike in any direction."""
    pictures = differences.reshape(*differences.shape[:3], THUMBNAIL_PX, THUMBNAIL_PX, 3)
    turned = [np.rot90(pictures, quarter, axes=(3, 4)) for quarter in range(4)]
    every = [*turned, *(picture[:, :, :, :, ::-1] for picture in turned)]
    return np.concatenate(every).reshape(-1, *differences.shape[1:])


def _fit_view(
    flat: Float64Array,
    saved: Float64Array,
    values: Float64Array,
    sessions: Sequence[str],
    most_directions: int,
) -> tuple[Float64Array, float]:
    """Return projection ``[F, K]`` and the most that a pair can reach; ``saved``: differences ``[M, F]``."""
    residual, freedom = _without_session_and_value(flat, values, sessions)
    variances, directions = _principal(residual, freedom)
    largest = np.argsort(-variances)[:_MOST_PRINCIPAL]
    variances, directions = variances[largest], directions[:, largest]
    # S in the principal directions of W, its off-diagonal elements drawn towards zero.
    along = saved @ directions
    again = along.T @ along / len(along)
    again = (1.0 - _SHRINKAGE) * again + _SHRINKAGE * np.diag(np.diag(again)) + _NOISE * np.eye(len(again))
    # Directions in which S = 1 and W is diagonal; saving again is part of what thumbnails differ by.
    whitening = np.linalg.inv(np.linalg.cholesky(again))
    ratios, turn = np.linalg.eigh((whitening * variances) @ whitening.T)
    between = np.maximum(ratios - 1.0, 0.0)
    kept = np.argsort(-between)[:most_directions]
    kept = kept[between[kept] > _LEAST_RATIO]
    projection = directions @ whitening.T @ turn[:, kept] * np.sqrt(1.0 - 1.0 / (between[kept] + 1.0))
    return projection, float(0.5 * np.log1p(between[kept]).sum())


def _principal(residual: Float64Array, freedom: int) -> tuple[Float64Array, Float64Array]:
    """Return variances ``[K]`` and directions ``[F, K]`` of ``residual``, ``[N, F]``."""
    if len(residual) < residual.shape[1]:
        # The same from products of samples, which are fewer than pixels.
        variances, vectors = np.linalg.eigh(residual @ residual.T / freedom)
        seen = variances > 1e-9 * max(float(variances[-1]), 1e-300)
        return variances[seen], residual.T @ vectors[:, seen] / np.sqrt(variances[seen] * freedom)
    variances, vectors = np.linalg.eigh(residual.T @ residual / freedom)
    return variances, vectors


def _without_session_and_value(
    flat: Float64Array, values: Float64Array, sessions: Sequence[str]
) -> tuple[Float64Array, int]:
    """Return what session means and a parabola in the value leave of ``flat``, and its degrees of freedom."""
    names, session = np.unique(np.asarray(sessions, np.str_), return_inverse=True)
    centred = values - values.mean()
    curve = np.stack([centred, centred**2], axis=1)
    curve /= np.maximum(np.abs(curve).max(axis=0), 1e-300)
    # Taking session means out of both first gives the same residual as fitting all at once (Frisch, Waugh).
    within, slopes = (x - _session_means(x, session, len(names)) for x in (flat, curve))
    coefficients, _, rank, _ = np.linalg.lstsq(slopes, within, rcond=1e-9)
    return within - slopes @ coefficients, max(1, len(flat) - len(names) - int(rank))


def _session_means(x: Float64Array, session: np.ndarray, count: int) -> Float64Array:
    sums = np.zeros((count, x.shape[1]))
    np.add.at(sums, session, x)
    means: Float64Array = (sums / np.bincount(session, minlength=count)[:, np.newaxis])[session]
    return means


def resaved_difference(view: View, thumbnail: UInt8Array) -> Float64Array:
    """Return by how much a view saved again differs from its thumbnail, levels, ``[len(_SCALES), F]``."""
    picture = read_image(view.path)
    if view.region is not None:
        box = view.region
        picture = picture[box.y : box.y + box.h, box.x : box.x + box.w]
    shorter = min(picture.shape[:2])
    picture = _resized(picture, min(1.0, _LARGEST_PX / shorter))
    spec = PreprocessingSpec(size=THUMBNAIL_PX)
    differences: list[Float64Array] = []
    for scale in _SCALES:
        # A picture about as small as the thumbnail is no longer the same when it is reduced.
        small = scale < 1.0 and scale * shorter < 2 * THUMBNAIL_PX
        written, data = cv2.imencode(
            ".jpg", _resized(picture, 1.0 if small else scale), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
        )
        assert written
        again = preprocess(decode_image(data.tobytes(), where=view.path), spec)
        differences.append(_flat(again[np.newaxis])[0] - _flat(thumbnail[np.newaxis])[0])
    return np.asarray(differences)


def _resized(picture: UInt8Array, scale: float) -> UInt8Array:
    if scale == 1.0:
        return np.ascontiguousarray(picture)
    how = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=how), np.uint8)


def _flat(thumbnails: UInt8Array) -> Float64Array:
    """Return ``[N, F]``, levels, of thumbnails ``[N, T, T, 3]``."""
    return thumbnails.reshape(len(thumbnails), -1).astype(np.float64)
