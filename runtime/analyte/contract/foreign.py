"""Does a picture look like those of the training at all? A distance between features, and its limit.

A network gives a number for every picture, a street scene included. Features of good pictures fill a small
part of their space, though, and those of other pictures lie far outside: docs/decisions/0011.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Self

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

from analyte.contract.arrays import Float32Array, Float64Array
from analyte.contract.errors import IntegrityError
from analyte.contract.interval import quantile_for_new_groups
from analyte.contract.label import Finite

REFUSED = 0.02
"""Share of good pictures that is refused, 0 to 1."""
_RANK = 16
"""Directions that are kept; the others share one variance. 32 gained nothing over 16, 8 lost."""
_FOLDS = 10
"""Times that the distance is fitted without some of the groups, at most."""
_HEADROOM = 1.1
"""The limit over the calibrated quantile. Integer artifacts move a distance by up to 10 % of the limit, and
foreign pictures were found from 1.6 times the limit upwards."""
_ROUNDING = 1e-4
"""Differences of features, relative to their size, that tell engines apart and not pictures."""


def _decode(numbers: object) -> object:
    if not isinstance(numbers, str):
        return numbers
    try:
        return np.frombuffer(base64.b64decode(numbers, validate=True), "<f4").tolist()
    except (binascii.Error, ValueError) as error:
        raise ValueError("must be the base64 text of float32 numbers") from error


def _encode(numbers: tuple[float, ...]) -> str:
    return base64.b64encode(np.asarray(numbers, "<f4").tobytes()).decode("ascii")


Float32Text = Annotated[
    tuple[Finite, ...], BeforeValidator(_decode), PlainSerializer(_encode, return_type=str, when_used="json")
]
"""Numbers that nobody reads one by one: little-endian float32, base64, one line of JSON."""


@dataclass(frozen=True, slots=True, eq=False)
class _Arrays:
    """Not equal to any other: models are compared by their fields, and arrays cannot be."""

    mean: Float64Array
    """``[F]``."""
    precision: Float64Array
    """Inverse of the covariance, ``[F, F]``."""


class ForeignCalibration(BaseModel):
    """A distance from the training pictures in feature space, and the largest that a good picture has.

    The distance is Mahalanobis' for a normal distribution of the features whose covariance is shrunk (Ledoit
    and Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", 2004) and whose
    smallest variances are replaced by their mean (Tipping and Bishop, "Probabilistic Principal Component
    Analysis", 1999).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    mean: Float32Text = Field(min_length=1)
    """Mean of the features of the training pictures, ``[F]``."""
    directions: Float32Text
    """Orthonormal directions of largest variance, ``[R, F]`` row by row."""
    variances: Float32Text
    """Variance along each direction, ``[R]``."""
    rest: float = Field(gt=0, allow_inf_nan=False)
    """Variance along every direction that is orthogonal to those."""
    limit: float = Field(gt=0, allow_inf_nan=False)
    """Distance above which a picture is foreign, in standard deviations."""
    refused: float = Field(gt=0, lt=1)
    """Share of good pictures of new groups that the limit was calibrated to refuse."""
    groups: int = Field(gt=0)
    """Groups of pictures that the limit was calibrated on."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.directions) != len(self.variances) * len(self.mean):
            raise ValueError("directions must have one number per variance and feature")
        if any(variance <= 0 for variance in self.variances):
            raise ValueError("variances must be greater than 0")
        return self

    def score(self, features: Float32Array | Float64Array) -> Float64Array:
        """Return the distance ``[N]``, in standard deviations, of features ``[N, F]``; foreign above `limit`.

        Features that are not finite give a NaN or infinity, which is never within the limit.
        Raises: IntegrityError when the number of features is another one.
        """
        arrays = self._arrays
        if features.ndim != 2 or features.shape[1] != arrays.mean.size:
            raise IntegrityError(
                "the graph gives other features than those that its foreign-picture score was made for",
                expected=f"[N, {arrays.mean.size}]",
                got=list(features.shape),
                fix="Export the bundle again",
            )
        with np.errstate(invalid="ignore", over="ignore"):
            centred = features - arrays.mean
            squares = np.einsum("nf,nf->n", centred @ arrays.precision, centred)
            distances: Float64Array = np.sqrt(np.maximum(squares, 0.0))
        return distances

    @cached_property
    def _arrays(self) -> _Arrays:
        mean = np.asarray(self.mean, np.float64)
        directions = np.asarray(self.directions, np.float64).reshape(-1, mean.size)
        # As if every direction had the rest's variance, and what those with their own differ by.
        weights = 1.0 / np.asarray(self.variances, np.float64) - 1.0 / self.rest
        return _Arrays(mean, np.eye(mean.size) / self.rest + (directions.T * weights) @ directions)


def calibrate_foreign(
    train_features: Float32Array | Float64Array,
    val_features: Float32Array | Float64Array,
    *,
    train_groups: Sequence[str],
    val_groups: Sequence[str],
    refused: float = REFUSED,
) -> ForeignCalibration:
    """Fit the distance to training pictures and calibrate its limit for groups that were not seen.

    ``train_features`` ``[N, F]``, ``val_features`` ``[M, F]``: of the saved model. ``train_groups``,
    ``val_groups``: session or specimen of each, ``[N]`` and ``[M]``. The limit is the quantile for new groups
    (see `analyte.contract.interval.quantile_for_new_groups`) of the validation distances together with those
    of training groups from a distance that was fitted without them: a few validation sessions alone do not
    tell how far a new one may lie.
    Raises: ValueError for arrays that do not fit each other or are not finite.
    """
    train, val = (np.asarray(part, np.float64) for part in (train_features, val_features))
    if train.ndim != 2 or val.ndim != 2 or train.shape[1] != val.shape[1] or 0 in (*train.shape, *val.shape):
        raise ValueError(f"expected [N, F] and [M, F], got {train.shape} and {val.shape}")
    if len(train_groups) != len(train) or len(val_groups) != len(val):
        raise ValueError(f"expected {len(train)} and {len(val)} groups")
    if not (np.isfinite(train).all() and np.isfinite(val).all()):
        raise ValueError("expected finite features")
    fitted = _fit(train, refused)
    scores, groups = [fitted.score(val)], list(val_groups)
    names, index = np.unique(list(train_groups), return_inverse=True)
    for left_out in range(min(_FOLDS, len(names)) if len(names) > 1 else 0):
        held = index % _FOLDS == left_out
        scores.append(_fit(train[~held], refused).score(train[held]))
        groups += [str(names[i]) for i in index[held]]
    quantile = quantile_for_new_groups(np.concatenate(scores), groups, 1.0 - refused)
    # Within one standard deviation nothing is foreign, however alike the pictures were.
    limit = max(_HEADROOM * quantile, 1.0)
    return ForeignCalibration(**{**fitted.model_dump(), "limit": limit, "groups": len(set(groups))})


def _fit(features: Float64Array, refused: float) -> ForeignCalibration:
    """Return the distance for features ``[N, F]``, its limit not calibrated yet."""
    mean = features.mean(axis=0)
    centred = features - mean
    covariance = centred.T @ centred / len(centred)
    shrinkage, target = _ledoit_wolf(centred, covariance)
    variances, vectors = np.linalg.eigh(covariance)
    floor = (_ROUNDING * math.sqrt(float(np.mean(features**2)))) ** 2 + np.finfo(np.float32).tiny
    # In descending order.
    shrunk = np.maximum((1.0 - shrinkage) * variances[::-1] + shrinkage * target, floor)
    rank = min(_RANK, len(shrunk) - 1)
    return ForeignCalibration(
        mean=tuple(mean.astype(np.float32).tolist()),
        directions=tuple(vectors[:, ::-1][:, :rank].T.astype(np.float32).ravel().tolist()),
        variances=tuple(shrunk[:rank].astype(np.float32).tolist()),
        rest=float(shrunk[rank:].mean()),
        limit=1.0,
        refused=refused,
        groups=1,
    )


def _ledoit_wolf(centred: Float64Array, covariance: Float64Array) -> tuple[float, float]:
    """Return the share that the shrunk covariance takes of a multiple of the identity, and that multiple.

    ``centred`` ``[N, F]``, ``covariance`` ``[F, F]``; lemma 3.2 to 3.4 of the paper named above.
    """
    n, f = centred.shape
    target = float(np.trace(covariance)) / f
    total = float(np.sum(covariance**2)) / f - target**2
    squares = float(np.sum(centred**2, axis=1) @ np.sum(centred**2, axis=1))
    noise = (squares / n - float(np.sum(covariance**2))) / (n * f)
    return (min(max(noise / total, 0.0), 1.0) if total > 0 else 1.0), target
