"""The calibration curve that every network has to beat: ridge regression on mean colours."""

from __future__ import annotations

from typing import Annotated, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from analyte.contract.arrays import Float64Array, UInt8Array
from analyte.contract.label import Finite


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
        standardized = (features - np.asarray(self.mean)) / np.asarray(self.scale)
        values: Float64Array = standardized @ np.asarray(self.weights) + self.intercept
        return values


def colour_features(images: UInt8Array) -> Float64Array:
    """Return what a chemist's calibration curve uses, ``[N, F]``, from uint8 ``[N, V, S, S, 3]``, RGB.

    First and second powers of: the mean colour of the middle of each view (0 to 1) and its absorbance
    -log10(mean); with several views also the absorbance of each later view against the first.
    """
    size = images.shape[2]
    # The middle half, where a well or a reaction zone is expected and its rim is not.
    inner = slice(size // 4, size - size // 4)
    means = images[:, :, inner, inner].mean(axis=(2, 3), dtype=np.float64) / 255.0
    absorbance = -np.log10(np.maximum(means, 1.0 / 255.0))
    parts = [means, absorbance]
    if images.shape[1] > 1:
        parts.append(absorbance[:, 1:] - absorbance[:, :1])
    linear = np.concatenate([part.reshape(len(images), -1) for part in parts], axis=1)
    return np.concatenate([linear, linear**2], axis=1)
