"""The dataset: photographs with known values, and how they are read and split.

Three layouts are accepted: a folder with ``labels.csv`` and ``dataset.toml``; a bare CSV file; a folder of
sub-folders each named by a value. The last two need the unit from the caller.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from analyte.contract.covariates import Covariate
from analyte.contract.label import Finite, LabelSpec, Range
from analyte.contract.preprocessing import Box

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
COLUMNS = frozenset({"path", "value", "sample", "view", "group", "session", "split", "x", "y", "w", "h"})
"""Columns of ``labels.csv`` that have a meaning; any other may be a covariate."""


def _list_of_names(given: object) -> object:
    if not isinstance(given, (list, tuple)) or not all(isinstance(name, str) for name in given):
        raise ValueError('must be a list of names, such as ["temperature", "minutes"]')
    return given


def _two_numbers(given: object) -> object:
    ends = given if isinstance(given, (list, tuple)) else ()
    if len(ends) != 2 or any(isinstance(end, bool) or not isinstance(end, (int, float)) for end in ends):
        raise ValueError("must be the lowest and the highest value, such as [0.0, 10.0]")
    return given


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) != len(names) or "" in names:
        raise ValueError("must be different names")
    return names


_Names = Annotated[tuple[str, ...], BeforeValidator(_list_of_names), AfterValidator(_distinct)]


_STAGE = "(dark|flat|white|chart)"


class DatasetSpec(BaseModel):
    """The contents of ``dataset.toml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    analyte: str = Field(min_length=1)
    unit: str = Field(min_length=1)
    range: Annotated[Range, BeforeValidator(_two_numbers)]
    """Lowest and highest value that the instrument is to report, in ``unit``."""
    views: _Names = Field(default=("sample",), min_length=1)
    """The pictures that make one reading, in the order in which the graph takes them."""
    covariates: _Names = ()
    """Names of numeric columns beside the picture, each in a unit of its own."""
    categorical_covariates: _Names = ()
    """Names of categorical columns beside the picture."""
    rotation_invariant: bool = True
    """Whether turning the picture leaves the value as it is."""
    licence: str = ""
    noise_floor: Finite | None = None
    """RMSE of an ideal observer, in ``unit``, where it is known (simulated data)."""
    colours: str = Field(default="", pattern=rf"^({_STAGE}(\+{_STAGE})*)?$")
    """How ``analyte colour correct`` corrected the pictures: ``white``, ``white+chart``, …; empty where they
    are as they were taken."""

    @model_validator(mode="after")
    def _covariates_are_columns_of_their_own(self) -> Self:
        twice = set(self.covariates) & set(self.categorical_covariates)
        if twice:
            raise ValueError(f"{min(twice)} cannot be a number and a category at once")
        taken = COLUMNS & set(self.covariate_names)
        if taken:
            raise ValueError(f"the column {min(taken)} has a meaning of its own and is no covariate")
        return self

    @property
    def covariate_names(self) -> tuple[str, ...]:
        """Numeric covariates, then categorical ones: the order in which the graph takes them."""
        return self.covariates + self.categorical_covariates

    @property
    def label(self) -> LabelSpec:
        """What is measured, its unit and its range."""
        return LabelSpec(analyte=self.analyte, unit=self.unit, range=self.range)


@dataclass(frozen=True, slots=True)
class View:
    """One picture, or a region of one."""

    path: Path
    region: Box | None
    row: int
    """Line of the labels file, counted from 1 with the header as line 1; 0 where there is no such file."""


@dataclass(frozen=True, slots=True)
class Sample:
    """All views that make one reading, and the value that they show."""

    id: str
    value: float
    """In the dataset's unit."""
    views: tuple[View, ...]
    """In the order of `DatasetSpec.views`."""
    group: str
    """The physical specimen or series. Never split across train and test."""
    session: str
    """Day, camera and light; equal to ``group`` where the dataset has no such column."""
    split: Split | None
    covariates: tuple[Covariate, ...] = ()
    """In the order of `DatasetSpec.covariate_names`: numbers, then categories."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """Samples with a common label and the same views."""

    root: Path
    spec: DatasetSpec
    samples: tuple[Sample, ...]

    def subset(self, split: Split) -> Dataset:
        """Return the samples of one split."""
        return replace(self, samples=tuple(s for s in self.samples if s.split == split))

    def with_splits(self, splits: dict[str, Split]) -> Dataset:
        """Return the same samples with the split of each id set."""
        return replace(self, samples=tuple(replace(s, split=splits[s.id]) for s in self.samples))

    def counts(self) -> dict[str, int]:
        """Return the number of samples of each split."""
        found = Counter(sample.split or "unassigned" for sample in self.samples)
        return dict(sorted(found.items()))

    def covariates_of(self, sample: Sample) -> dict[str, Covariate]:
        """Return the covariates of a sample by name."""
        return dict(zip(self.spec.covariate_names, sample.covariates, strict=True))

    def digest(self) -> str:
        """Return the sha256, in hexadecimal, over labels, covariates, regions and the bytes of every picture.

        Equal for the same data in another folder, under another name or in another order of rows.
        """
        files = _FileHashes()
        lines = sorted(
            f"{s.value!r} {s.group} {s.split} {s.covariates!r} {files.of_sample(s)}" for s in self.samples
        )
        text = "\n".join([self.spec.model_dump_json(exclude={"name"}), *lines])
        return hashlib.sha256(text.encode()).hexdigest()


def sample_hashes(samples: Iterable[Sample]) -> list[str]:
    """Return 16 hexadecimal digits per sample that stand for the bytes and regions of its pictures."""
    files = _FileHashes()
    return [hashlib.sha256(files.of_sample(sample).encode()).hexdigest()[:16] for sample in samples]


def duplicates_across_splits(dataset: Dataset) -> list[tuple[Sample, Sample]]:
    """Return pairs of samples that show the same bytes and region but stand in different splits."""
    files = _FileHashes()
    first: dict[str, Sample] = {}
    pairs: list[tuple[Sample, Sample]] = []
    for sample in dataset.samples:
        other = first.setdefault(files.of_sample(sample), sample)
        if other.split != sample.split:
            pairs.append((other, sample))
    return pairs


class _FileHashes:
    """Hashes of picture files, each file read once although several samples may lie in it."""

    def __init__(self) -> None:
        self._known: dict[Path, str] = {}

    def of_sample(self, sample: Sample) -> str:
        return " ".join(f"{self._of_file(view.path)}@{view.region}" for view in sample.views)

    def _of_file(self, path: Path) -> str:
        if path not in self._known:
            self._known[path] = hashlib.sha256(path.read_bytes()).hexdigest()
        return self._known[path]


def groups_of(samples: Iterable[Sample]) -> list[str]:
    """Return the groups present, sorted."""
    return sorted({sample.group for sample in samples})
