"""Everything that is known about a dataset when its checks begin."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from analyte.contract.arrays import Float64Array
from analyte.contract.dataset import Dataset, Sample
from analyte.train.inspection.finding import Finding, Place, Severity, place_of
from analyte.train.inspection.labels_table import filled_columns
from analyte.train.inspection.survey import Survey, survey

_PER_SESSION = 2.0
"""Samples per session, on average, from which sessions say something of their own."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """A dataset, its pictures' measurements and what the labels file states."""

    dataset: Dataset
    survey: Survey
    columns: frozenset[str]
    """Columns of the labels file of which at least one cell is filled."""

    @property
    def samples(self) -> tuple[Sample, ...]:
        """All samples, in the order of the survey's arrays."""
        return self.dataset.samples

    @property
    def unit(self) -> str:
        """Unit of the values."""
        return self.dataset.spec.unit

    @property
    def values(self) -> Float64Array:
        """``[N]``, in the dataset's unit."""
        return np.asarray([sample.value for sample in self.samples], np.float64)

    @property
    def training(self) -> tuple[Sample, ...]:
        """What a model may be fitted to or chosen by: all but the test split."""
        return tuple(sample for sample in self.samples if sample.split != "test")

    @property
    def test(self) -> tuple[Sample, ...]:
        """The test split as it is marked; nothing where training is to choose it."""
        return tuple(sample for sample in self.samples if sample.split == "test")

    def where(self, samples: Sequence[Sample] | npt.NDArray[np.bool_]) -> Place:
        """Return where samples, given as such or as a mask ``[N]``, are found."""
        if isinstance(samples, np.ndarray):
            samples = [sample for sample, chosen in zip(self.samples, samples, strict=True) if chosen]
        return place_of(samples, self.dataset.root)

    def sessions(self) -> dict[str, npt.NDArray[np.intp]] | None:
        """Return the indices of each session's samples, sorted by name.

        None where sessions are nothing but specimens: the labels have no session column, and groups, which
        then stand in for it, show one value each; or most sessions are single samples.
        """
        members: dict[str, list[int]] = defaultdict(list)
        for index, sample in enumerate(self.samples):
            members[sample.session].append(index)
        if len(self.samples) < _PER_SESSION * len(members):
            return None
        if "session" not in self.columns:
            values = self.values
            several = [len(set(values[indices])) > 1 for indices in members.values() if len(indices) > 1]
            if sum(several) <= len(several) / 2:
                return None
        return {name: np.asarray(members[name], np.intp) for name in sorted(members)}


Check = Callable[[Inspection], list[Finding]]
"""Looks for one kind of thing; samples that are not `Survey.usable` have no measurements."""


def finding(
    code: str,
    severity: Severity,
    what: str,
    fix: str,
    *,
    at: Place | None = None,
    pairs: Sequence[tuple[str, str]] = (),
    details: Sequence[str] = (),
) -> Finding:
    """Return a finding about the samples ``at`` a place."""
    at = at or Place((), (), ())
    return Finding(
        code,
        severity,
        what,
        fix,
        samples=at.samples,
        rows=at.rows,
        files=at.files,
        pairs=tuple(pairs),
        details=tuple(details),
    )


def inspect(
    dataset: Dataset,
    path: Path,
    *,
    size: int | None = None,
    on_progress: Callable[[int], object] = lambda done: None,
) -> Inspection:
    """Read labels and pictures of a dataset that was loaded from ``path``; see `survey`."""
    return Inspection(dataset, survey(dataset, size=size, on_progress=on_progress), filled_columns(path))
