"""The calibration curve that every network has to beat: ridge regression on mean colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Self

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from analyte.contract.arrays import Float64Array, UInt8Array
from analyte.contract.label import Finite


@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    """Not equal to any other: models are compared by their fields, and arrays cannot be."""

    slopes: Float64Array
    """Of each feature ``[F]``, label's unit."""
    offset: float
    """Value where all features are 0, label's unit."""


class Baseline(BaseModel):
    """A fitted calibration curve: standardized colour features times weights, plus an intercept."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mean: tuple[Finite, ...]
    """Mean of each feature over the training samples."""
    scale: tuple[Annotated[Finite, Field(gt=0)], ...]
    """Standard deviation of each feature over the training samples."""
    weights: tuple[Finite, ...]
    """In the label's unit per standard deviation."""
    intercept: Finite
    """In the label's unit."""
    penalty: float = Field(ge=0)
    """Ridge penalty, chosen by cross-validation over groups of the training samples."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not len(self.mean) == len(self.scale) == len(self.weights):
            raise ValueError("mean, scale and weights must have one number per feature")
        return self

    def predict(self, images: UInt8Array) -> Float64Array:
        """Return values ``[N]`` in the label's unit for preprocessed images ``[N, V, S, S, 3]``, RGB."""
        features = colour_features(images)
        line = self._line
        values: Float64Array = features @ line.slopes + line.offset
        return values

    @cached_property
    def _line(self) -> _Line:
        slopes = np.asarray(self.weights) / np.asarray(self.scale)
        return _Line(slopes, self.intercept - float(slopes @ np.asarray(self.mean)))


def colour_features(images: UInt8Array) -> Float64Array:
    """Return what a chemist's calibration curve uses, ``[N, F]``, from uint8 ``[N, V, S, S, 3]``, RGB.

    First and second powers of: the mean colour of the middle of each view (0 to 1) and its absorbance
    -log10(mean); with several views also the absorbance of each later view against the first.
    """
    # Numbers of Python: for the few of one sample they take a third of the time that numpy's calls do.
    rows = [_features_of([_mean_colour(view) for view in sample]) for sample in images]
    return np.asarray(rows, np.float64)


def _features_of(colours: Sequence[Sequence[float]]) -> list[float]:
    """Return the features of one sample from the mean colour of each view, 0 to 1."""
    absorbance = [[-math.log10(max(level, 1.0 / 255.0)) for level in colour] for colour in colours]
    linear = [level for colour in (*colours, *absorbance) for level in colour]
    for later in absorbance[1:]:
        linear += [own - first for own, first in zip(later, absorbance[0], strict=True)]
    return linear + [feature * feature for feature in linear]


def _mean_colour(view: UInt8Array) -> list[float]:
    """Return the mean colour, 0 to 1, of the middle half of a view ``[S, S, 3]``.

    There a well or a reaction zone is expected, and its rim is not.
    """
    size = view.shape[0]
    start, end = size // 4, size - size // 4
    # Not numpy's mean, which takes ten times as long for a strided picture.
    return [level / 255.0 for level in cv2.mean(view[start:end, start:end])[:3]]
