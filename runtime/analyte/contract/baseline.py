"""The calibration curve that every network has to beat: ridge regression on mean colours."""

from __future__ import annotations

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
    means = _mean_colours(images)
    absorbance = -np.log10(np.maximum(means, 1.0 / 255.0))
    parts = [means, absorbance]
    if images.shape[1] > 1:
        parts.append(absorbance[:, 1:] - absorbance[:, :1])
    linear = np.concatenate([part.reshape(len(images), -1) for part in parts], axis=1)
    return np.concatenate([linear, linear**2], axis=1)


def _mean_colours(images: UInt8Array) -> Float64Array:
    """Return the mean colour, 0 to 1, of the middle half of each view, ``[N, V, 3]``.

    There a well or a reaction zone is expected, and its rim is not.
    """
    size = images.shape[2]
    inner = slice(size // 4, size - size // 4)
    # Not numpy's mean, which takes ten times as long for a strided picture.
    levels = [[cv2.mean(view[inner, inner])[:3] for view in sample] for sample in images]
    return np.asarray(levels, np.float64) / 255.0
