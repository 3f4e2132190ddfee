"""What a report is made of: plain arrays and records, so that it can be written anywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np

from analyte.contract.arrays import Float64Array, UInt8Array
from analyte.contract.dataset import SPLITS, Dataset, Sample
from analyte.contract.run import RunRecord
from analyte.contract.splits import new_by
from analyte.train.report.rotation import RotationCurve, rotation_curves

ShownSplit = Literal["val", "test"]


@dataclass(frozen=True, slots=True)
class Readings:
    """The samples that a report shows. Values are finite and in the label's unit; N is at least 1."""

    sample_ids: tuple[str, ...]
    """``[N]``."""
    sessions: tuple[str, ...]
    """``[N]``."""
    groups: tuple[str, ...]
    """``[N]``: what is independent of each other."""
    true: Float64Array
    """``[N]``."""
    predicted: Float64Array
    """``[N]``, by the network."""
    baseline: Float64Array
    """``[N]``, by the calibration curve."""
    lower: Float64Array
    """``[N]``: lower end of the network's interval."""
    upper: Float64Array
    """``[N]``: upper end of the network's interval."""
    pictures: UInt8Array
    """uint8 ``[N, V, S, S, 3]``, RGB: what the network saw."""
    distances: Float64Array | None
    """``[N]``: from the training pictures in feature space, standard deviations; None where the run has no
    score for foreign pictures."""

    def __post_init__(self) -> None:
        n = len(self.sample_ids)
        values = [self.true, self.predicted, self.baseline, self.lower, self.upper]
        values += [] if self.distances is None else [self.distances]
        if not len(self.sessions) == len(self.groups) == len(self.pictures) == n or n == 0:
            raise ValueError(f"expected the same number, at least 1, of everything; got {n} samples")
        if any(array.shape != (n,) or not np.isfinite(array).all() for array in values):
            raise ValueError(f"expected finite [{n}] arrays, got {[array.shape for array in values]}")


@dataclass(frozen=True, slots=True)
class SplitSummary:
    """How many samples of what a split holds. Values are in the label's unit."""

    name: str
    samples: int
    groups: int
    sessions: int
    levels: int
    """Different true values."""
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True)
class ModelFile:
    """The saved model, and what it costs to run."""

    sha256: str
    """Hexadecimal."""
    size_bytes: int
    macs: int | None = None
    """Multiplications with addition per reading; None where they were not counted."""
    latency_ms: float | None = None
    """Duration of one reading on the machine that trained, milliseconds; None where it was not measured."""


@dataclass(frozen=True, slots=True)
class ReportInputs:
    """Everything that a report shows."""

    record: RunRecord
    split: ShownSplit
    """``val``: the samples that chose the epoch. ``test``: samples that training never saw."""
    dataset: str
    """Name of the dataset that the samples come from."""
    dataset_sha256: str
    """Its digest, hexadecimal; another than the record's where the samples are other data."""
    data: tuple[SplitSummary, ...]
    readings: Readings
    history: tuple[Mapping[str, float], ...]
    """One entry per epoch: ``epoch``, ``loss`` and, where validated, ``val_mae`` in the label's unit."""
    rotation: tuple[RotationCurve, ...]
    """Empty where turning a picture changes its value, or nothing was turned."""
    model: ModelFile
    left_out: int
    """Samples that are not shown because training saw their pictures."""
    created_at: str
    """Of the report: UTC, ISO 8601."""


def report_inputs(
    record: RunRecord,
    dataset: Dataset,
    samples: Sequence[Sample],
    pictures: UInt8Array,
    *,
    split: ShownSplit,
    predicted: Float64Array,
    sigma: Float64Array,
    features: Float64Array,
    baseline: Float64Array,
    history: Sequence[Mapping[str, float]],
    model_file: Path,
    turned: Callable[[UInt8Array, int], Float64Array] | None = None,
    macs: int | None = None,
    latency_ms: float | None = None,
    left_out: int = 0,
) -> ReportInputs:
    """Put together what a report shows of ``samples`` ``[N]``.

    ``dataset``: all splits, assigned. ``pictures``: uint8 ``[N, V, S, S, 3]``, RGB. ``predicted``,
    ``sigma``, ``baseline``: ``[N]``, label's unit. ``features``: ``[N, F]``, of the network.
    ``model_file``: the saved ``model.keras``. ``turned``: for the rotation curve, from turned pictures
    ``[A, V, S, S, 3]`` of the sample with an index in 0 to N - 1 to the network's values ``[A]``; None
    leaves the curve out.
    """
    half = record.interval.quantile * sigma
    true = np.asarray([sample.value for sample in samples], np.float64)
    if not record.rotation_invariant:
        turned = None
    with model_file.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return ReportInputs(
        record=record,
        split=split,
        dataset=dataset.spec.name,
        dataset_sha256=dataset.digest(),
        data=summarise(dataset),
        readings=Readings(
            sample_ids=tuple(sample.id for sample in samples),
            sessions=tuple(sample.session for sample in samples),
            groups=tuple(new_by(dataset.subset("train").samples, samples)),
            true=true,
            predicted=predicted,
            baseline=baseline,
            lower=predicted - half,
            upper=predicted + half,
            pictures=pictures,
            distances=None if record.foreign is None else record.foreign.score(features),
        ),
        history=tuple(history),
        rotation=() if turned is None else rotation_curves(turned, pictures, true, samples),
        model=ModelFile(sha256, model_file.stat().st_size, macs, latency_ms),
        left_out=left_out,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def summarise(dataset: Dataset) -> tuple[SplitSummary, ...]:
    """Count what each split of a dataset holds; splits without samples are left out."""
    found: list[SplitSummary] = []
    for name in (*SPLITS, None):
        samples = [sample for sample in dataset.samples if sample.split == name]
        if samples:
            values = [sample.value for sample in samples]
            found.append(
                SplitSummary(
                    name=name or "unassigned",
                    samples=len(samples),
                    groups=len({sample.group for sample in samples}),
                    sessions=len({sample.session for sample in samples}),
                    levels=len(set(values)),
                    lowest=min(values),
                    highest=max(values),
                )
            )
    return tuple(found)
