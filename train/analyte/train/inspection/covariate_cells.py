"""Checks of what was typed into the columns of covariates: slips that training would take at their word."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict

import numpy as np

from analyte.contract.arrays import Float64Array
from analyte.contract.dataset import Dataset, Sample
from analyte.train.inspection.finding import Finding, count, listed, place_of, shown

_FENCE = 10.0
"""Distance from the rest, in their interquartile ranges, at which a number is taken for a slip. Tukey's fence
for "far out" is 3 (Exploratory Data Analysis, 1977); a decimal point that slipped moves a number further."""
_LEAST = 5
"""Numbers from which quartiles do not move with a single one of them."""
_FEW, _RARE = 2, 0.05
"""So many numbers, or this share of all, may be slips: more are a level of their own."""
_ALONE = 0.5
"""Share of the samples with a category of their own from which a column names samples."""


def check_cells(dataset: Dataset) -> list[Finding]:
    """Numbers far from the rest, categories that differ in spelling only or name samples, constants."""
    return [*_far(dataset), *_alike(dataset), *_alone(dataset), *_constant(dataset)]


def _far(dataset: Dataset) -> list[Finding]:
    samples: list[Sample] = []
    details: list[str] = []
    for name in dataset.spec.covariates:
        cells = _cells(dataset, name)
        numbers = np.asarray(cells, np.float64)
        far = far_from_the_rest(numbers)
        if not far.any():
            continue
        rest = f"the others {shown(numbers[~far].min())} to {shown(numbers[~far].max())}"
        for sample, number, is_far in zip(dataset.samples, numbers, far, strict=True):
            if is_far:
                samples.append(sample)
                details.append(f"{name} of sample {sample.id} ({_row(sample)}): {shown(number)}, {rest}")
    if not details:
        return []
    at = place_of(samples, dataset.root)
    return [
        Finding(
            "covariate-outlier",
            "warning",
            f"{count(len(details), 'number')} further from all others of the column than {_FENCE:g} x their "
            "interquartile range: in training, one mistyped number widens the range of what a device takes, "
            "so that it refuses nothing any more",
            "Correct the number, a decimal point may have slipped; leave it if it was really measured",
            samples=at.samples,
            rows=at.rows,
            files=at.files,
            details=tuple(details),
        )
    ]


def far_from_the_rest(numbers: Float64Array) -> np.ndarray:
    """Return which of ``numbers`` ``[N]`` are slips, bool ``[N]``; none where fewer than 5 are given.

    The rest are the numbers within 10 interquartile ranges of the quartiles; a slip is further than that from
    all of these too, so that the end of a long tail is none. Where the middle half is one number, its spread
    is the median distance of those that differ from it (4 or more), or its own size. Where over 5
    percent (and over 2) are as far, they are a level of their own and no slips.
    """
    far = np.zeros(len(numbers), np.bool_)
    if len(numbers) < _LEAST:
        return far
    # Halved, so that the difference of two numbers of any size is finite.
    halves = numbers / 2.0
    low, middle, high = np.quantile(halves, [0.25, 0.5, 0.75])
    spread = high - low
    if spread == 0.0:
        distances = np.abs(halves - middle)
        others = distances[distances > 0.0]
        spread = max(abs(middle), float(np.median(others)) if len(others) >= _LEAST - 1 else 0.0)
    if spread == 0.0:
        return far
    fence = _FENCE * spread
    rest = halves[(halves >= low - fence) & (halves <= high + fence)]
    beyond: np.ndarray = (halves < rest.min() - fence) | (halves > rest.max() + fence)
    return beyond if beyond.sum() <= max(_FEW, _RARE * len(numbers)) else far


def _alike(dataset: Dataset) -> list[Finding]:
    samples: list[Sample] = []
    details: list[str] = []
    for name in dataset.spec.categorical_covariates:
        cells = [str(cell) for cell in _cells(dataset, name)]
        counts = Counter(cells)
        spellings: dict[str, list[str]] = defaultdict(list)
        for cell in sorted(counts, key=lambda cell: (-counts[cell], cell)):
            spellings[_folded(cell)].append(cell)
        for same in spellings.values():
            if len(same) > 1:
                details.append(f"{name}: " + ", ".join(f"{cell!r} ({counts[cell]})" for cell in same))
                samples += [s for s, cell in zip(dataset.samples, cells, strict=True) if cell in same[1:]]
    if not details:
        return []
    at = place_of(samples, dataset.root)
    return [
        Finding(
            "categories-alike",
            "warning",
            f"{count(len(details), 'category', 'categories')} spelled in several ways (case, spaces, zeros "
            "in front): each spelling is a category of its own, and a device refuses every other",
            "Write each category in one way",
            samples=at.samples,
            rows=at.rows,
            files=at.files,
            details=tuple(details),
        )
    ]


def _folded(name: str) -> str:
    """Return what is left of a name without case, spaces, underscores, hyphens and leading zeros.

    Between two digits a separator stays, as a bar: 1-5 is not 15.
    """
    name = unicodedata.normalize("NFKC", name).casefold()
    name = re.sub(r"(?<=\d)[\s_-]+(?=\d)", "|", name)
    name = re.sub(r"(?<=\w)-(?=\w)|[\s_]+", "", name)
    return re.sub(r"(?<![\d.,])0+(?=\d)", "", name)


def _alone(dataset: Dataset) -> list[Finding]:
    details: list[str] = []
    for name in dataset.spec.categorical_covariates:
        counts = Counter(str(cell) for cell in _cells(dataset, name))
        alone = [category for category, n in counts.items() if n == 1]
        if len(counts) > 2 and len(alone) > _ALONE * len(dataset.samples):
            details.append(f"{name}: {len(alone)} of {len(dataset.samples)}, such as {listed(alone, 3)}")
    if not details:
        return []
    return [
        Finding(
            "category-per-sample",
            "warning",
            f"{count(len(details), 'categorical covariate')} with a category of its own for most samples: "
            "the network can learn samples by their names, and a device refuses every new name",
            "Leave it out of categorical_covariates in dataset.toml; a number belongs into covariates, a "
            "specimen into the column group",
            details=tuple(details),
        )
    ]


def _constant(dataset: Dataset) -> list[Finding]:
    training = dataset.subset("train")
    # Where training is to choose the splits, all samples may be its own.
    seen = training if training.samples else dataset
    names = [name for name in dataset.spec.covariate_names if len(set(_cells(seen, name))) == 1]
    if not names or len(seen.samples) < 2:
        return []
    return [
        Finding(
            "covariate-constant",
            "note",
            f"{count(len(names), 'covariate')} the same for all samples to learn from: it tells nothing, and "
            "a device refuses every reading at which it differs",
            "Leave it out of dataset.toml, or add samples at other numbers or categories",
            details=tuple(f"{name}: {_text(_cells(seen, name)[0])}" for name in names),
        )
    ]


def _cells(dataset: Dataset, name: str) -> list[float | str]:
    at = dataset.spec.covariate_names.index(name)
    return [sample.covariates[at] for sample in dataset.samples]


def _text(cell: float | str) -> str:
    return cell if isinstance(cell, str) else shown(cell)


def _row(sample: Sample) -> str:
    return f"row {sample.views[0].row}"
