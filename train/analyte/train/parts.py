"""Samples of a dataset with their pictures in memory."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from analyte.contract.covariates import CovariateSpec
from analyte.contract.dataset import Dataset, Sample
from analyte.contract.errors import DatasetError, ImageError
from analyte.contract.imaging import read_image
from analyte.contract.pictures import load_pictures
from analyte.contract.preprocessing import PreprocessingSpec
from analyte.train.batches import LabelledPictures
from analyte.train.recipes.recipe import Recipe

_MAX_AUTO_SIZE = 64


@dataclass(frozen=True, slots=True)
class Part:
    """Samples and, in the same order, what the network sees of them."""

    samples: tuple[Sample, ...]
    data: LabelledPictures

    @property
    def groups(self) -> list[str]:
        """The physical specimen or series of each sample."""
        return [sample.group for sample in self.samples]

    @property
    def sessions(self) -> list[str]:
        """The session of each sample."""
        return [sample.session for sample in self.samples]

    def take(self, index: Any) -> Part:
        """Return the samples at ``index``, an array of whole numbers."""
        return Part(tuple(self.samples[i] for i in index), self.data.take(index))


def load_part(
    dataset: Dataset, split: str, spec: PreprocessingSpec, covariates: CovariateSpec | None = None
) -> Part:
    """Read one split. ``covariates``: those that the network takes; None for none. Raises: DatasetError."""
    samples = tuple(sample for sample in dataset.samples if sample.split == split)
    with tqdm(total=len(samples), desc=f"read {split}", file=sys.stderr, disable=None, leave=False) as bar:
        images = load_pictures(samples, spec, where=dataset.root, on_progress=bar.update)
    values = np.asarray([sample.value for sample in samples], np.float64)
    beside = (covariates or CovariateSpec()).encode_all([dataset.covariates_of(s) for s in samples])
    return Part(samples, LabelledPictures(images, values, beside))


def join_parts(parts: Sequence[Part]) -> Part:
    """Return the samples of several parts as one."""
    return Part(
        tuple(sample for part in parts for sample in part.samples),
        LabelledPictures(
            np.concatenate([part.data.images for part in parts]),
            np.concatenate([part.data.values for part in parts]),
            np.concatenate([part.data.covariates for part in parts]),
        ),
    )


def choose_size(dataset: Dataset, recipe: Recipe, asked: int | None) -> int:
    """Return the edge of the network's picture, pixels.

    Automatic: the shorter side of the smallest region (without regions, of the first photograph), rounded
    down to what the recipe's pooling needs, at most 64. Enlarging pictures adds no information. Samples of
    the test split are not looked at. Raises: DatasetError when ``asked`` does not fit the recipe.
    """
    step, least = recipe.size_step, recipe.min_size
    if asked is not None:
        if asked % step or asked < least:
            raise DatasetError(
                "the size does not fit the recipe",
                where=f"--size {asked}",
                expected=f"a multiple of {step} px, at least {least}",
            )
        return asked
    views = [view for sample in dataset.samples if sample.split != "test" for view in sample.views]
    sides = [min(view.region.w, view.region.h) for view in views if view.region is not None]
    shortest = min(sides) if sides else _shorter_side(views[0].path)
    return max(least, min(max(_MAX_AUTO_SIZE, least), shortest) // step * step)


def _shorter_side(path: Path) -> int:
    try:
        return int(min(read_image(path).shape[:2]))
    except ImageError:
        return _MAX_AUTO_SIZE  # reading the data says which pictures are bad, all at once
