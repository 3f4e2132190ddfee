"""Errors of a run or a bundle on a dataset: Keras, the baseline and every artifact side by side."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from analyte.contract.arrays import Float32Array, Float64Array, UInt8Array
from analyte.contract.baseline import Baseline
from analyte.contract.bundle import Bundle, open_bundle
from analyte.contract.dataset import Dataset, sample_hashes
from analyte.contract.errors import DatasetError
from analyte.contract.interval import IntervalCalibration
from analyte.contract.label import LabelSpec
from analyte.contract.manifest import MANIFEST_FILE
from analyte.contract.metrics import Metrics, regression_metrics
from analyte.contract.pictures import load_pictures
from analyte.contract.preprocessing import PreprocessingSpec
from analyte.contract.run import MODEL_FILE, DatasetRecord, load_record
from analyte.export.trained_model import load_model, predict
from analyte.runtime.engines.protocol import Prediction
from analyte.runtime.engines.registry import open_engine

_BATCH = 64
Predictor = Callable[[UInt8Array], Prediction]


@dataclass(frozen=True, slots=True)
class Subject:
    """What is evaluated, from a run folder or a bundle."""

    label: LabelSpec
    views: tuple[str, ...]
    preprocessing: PreprocessingSpec
    interval: IntervalCalibration
    baseline: Baseline
    dataset: DatasetRecord
    """What it was trained on."""
    predictors: dict[str, Predictor]
    """``keras`` and the artifacts, by name."""


@dataclass(frozen=True, slots=True)
class Result:
    """One row. ``coverage``: share of true values inside the interval; None for the baseline."""

    name: str
    metrics: Metrics
    coverage: float | None


@dataclass(frozen=True, slots=True)
class Chosen:
    """Samples to evaluate on."""

    dataset: Dataset
    split: str
    """``test``: marked as such, or what training left aside; ``all``: data that training knew nothing of."""
    seen: int
    """Samples that were left out because training or validation saw them."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Errors in the label's unit."""

    dataset: str
    split: str
    """See `Chosen`."""
    seen: int
    """Samples that were left out because training or validation saw them."""
    unit: str
    results: tuple[Result, ...]


def open_subject(path: Path) -> Subject:
    """Open a run folder or a bundle. Raises: InputError, IntegrityError, UnavailableError."""
    if (path / MANIFEST_FILE).is_file():
        return _bundle_subject(open_bundle(path))
    record = load_record(path)
    return Subject(
        record.label,
        record.views,
        record.preprocessing,
        record.interval,
        record.baseline,
        record.dataset,
        {"keras": _keras_predictor(path / MODEL_FILE)},
    )


def _bundle_subject(bundle: Bundle) -> Subject:
    manifest = bundle.manifest
    bundle.read(manifest.model)
    predictors: dict[str, Predictor] = {"keras": _keras_predictor(bundle.path / manifest.model.file)}
    for artifact in manifest.artifacts:
        engine = open_engine(bundle.read(artifact), artifact.engine, where=bundle.path / artifact.file)
        predictors[artifact.name] = engine.run
    return Subject(
        manifest.label,
        manifest.views,
        manifest.preprocessing,
        manifest.interval,
        manifest.baseline,
        manifest.provenance.dataset,
        predictors,
    )


def _keras_predictor(path: Path) -> Predictor:
    model = load_model(path)
    return lambda images: predict(model, images)


def choose_samples(dataset: Dataset, subject: Subject) -> Chosen:
    """Return the samples to evaluate on: never one whose very pictures training or validation saw.

    The test split where the dataset marks one, else every sample; then without those that were seen.
    Raises: DatasetError when the views or unit differ, or nothing is left.
    """
    if dataset.spec.views != subject.views or dataset.spec.unit != subject.label.unit:
        raise DatasetError(
            "the dataset does not fit the model",
            where=dataset.root,
            expected=f"views {', '.join(subject.views)} in {subject.label.unit}",
            got=f"views {', '.join(dataset.spec.views)} in {dataset.spec.unit}",
        )
    marked = dataset.subset("test")
    candidates = marked if marked.samples else dataset
    known = frozenset(subject.dataset.seen)
    hashes = sample_hashes(candidates.samples)
    fresh = tuple(
        sample for sample, digest in zip(candidates.samples, hashes, strict=True) if digest not in known
    )
    seen = len(candidates.samples) - len(fresh)
    if not fresh:
        raise DatasetError(
            "every sample was seen in training or validation, so no error measured on it would count",
            where=dataset.root,
            got=f"{seen} samples",
            fix="Evaluate on pictures that training never saw",
        )
    split = "test" if marked.samples or seen else "all"
    return Chosen(replace(dataset, samples=fresh), split, seen)


def evaluate(subject: Subject, dataset: Dataset) -> Evaluation:
    """Measure every predictor. Raises: DatasetError for pictures that cannot be read or do not fit."""
    choice = choose_samples(dataset, subject)
    chosen = choice.dataset
    with tqdm(
        total=len(chosen.samples), desc="read pictures", file=sys.stderr, disable=None, leave=False
    ) as bar:
        images = load_pictures(
            chosen.samples, subject.preprocessing, where=chosen.root, on_progress=bar.update
        )
    true = np.asarray([sample.value for sample in chosen.samples], np.float64)
    results: list[Result] = []
    for name, predictor in subject.predictors.items():
        values, sigma = _run(predictor, images)
        results.append(
            Result(
                name,
                regression_metrics(true, values),
                float(np.mean(np.abs(values - true) <= subject.interval.quantile * sigma)),
            )
        )
    curve = Result("baseline", regression_metrics(true, subject.baseline.predict(images)), None)
    return Evaluation(
        dataset.spec.name, choice.split, choice.seen, subject.label.unit, (results[0], curve, *results[1:])
    )


def _run(predictor: Predictor, images: UInt8Array) -> tuple[Float64Array, Float32Array]:
    parts = [predictor(images[start : start + _BATCH]) for start in range(0, len(images), _BATCH)]
    values = np.concatenate([part.value for part in parts]).astype(np.float64)
    return values, np.concatenate([part.sigma for part in parts])
