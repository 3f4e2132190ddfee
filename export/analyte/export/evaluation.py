"""Errors of a run or a bundle on a dataset: Keras, the baseline and every artifact side by side."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from analyte.contract.arrays import Float32Array, Float64Array, UInt8Array
from analyte.contract.baseline import Baseline
from analyte.contract.bundle import Bundle, open_bundle
from analyte.contract.dataset import Dataset
from analyte.contract.errors import DatasetError
from analyte.contract.interval import IntervalCalibration
from analyte.contract.label import LabelSpec
from analyte.contract.manifest import MANIFEST_FILE
from analyte.contract.metrics import Metrics, regression_metrics
from analyte.contract.pictures import load_pictures
from analyte.contract.preprocessing import PreprocessingSpec
from analyte.contract.run import MODEL_FILE, DatasetRecord, load_record
from analyte.contract.splits import assign_splits
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
    seed: int
    predictors: dict[str, Predictor]
    """``keras`` and the artifacts, by name."""


@dataclass(frozen=True, slots=True)
class Result:
    """One row. ``coverage``: share of true values inside the interval; None for the baseline."""

    name: str
    metrics: Metrics
    coverage: float | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Errors in the label's unit."""

    dataset: str
    split: str
    """``test``, or ``all`` where the data have no test split of their own."""
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
        record.seed,
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
        manifest.provenance.seed,
        predictors,
    )


def _keras_predictor(path: Path) -> Predictor:
    model = load_model(path)
    return lambda images: predict(model, images)


def choose_samples(dataset: Dataset, subject: Subject) -> tuple[Dataset, str]:
    """Return the samples to evaluate on, and the name of the split.

    The test split where the dataset marks one. Where it marks none: the test split that training set aside,
    if this is the training data; else every sample. Raises: DatasetError when the views or unit differ.
    """
    if dataset.spec.views != subject.views or dataset.spec.unit != subject.label.unit:
        raise DatasetError(
            "the dataset does not fit the model",
            where=dataset.root,
            expected=f"views {', '.join(subject.views)} in {subject.label.unit}",
            got=f"views {', '.join(dataset.spec.views)} in {dataset.spec.unit}",
        )
    marked = dataset.subset("test")
    if marked.samples:
        return marked, "test"
    try:
        assigned = assign_splits(dataset, seed=subject.seed)
    except DatasetError:
        # Too few groups to split: then it cannot be the training data either.
        return dataset, "all"
    if assigned.digest() == subject.dataset.sha256:
        return assigned.subset("test"), "test"
    return dataset, "all"


def evaluate(subject: Subject, dataset: Dataset) -> Evaluation:
    """Measure every predictor. Raises: DatasetError for pictures that cannot be read or do not fit."""
    chosen, split = choose_samples(dataset, subject)
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
    return Evaluation(dataset.spec.name, split, subject.label.unit, (results[0], curve, *results[1:]))


def _run(predictor: Predictor, images: UInt8Array) -> tuple[Float64Array, Float32Array]:
    parts = [predictor(images[start : start + _BATCH]) for start in range(0, len(images), _BATCH)]
    values = np.concatenate([part.value for part in parts]).astype(np.float64)
    return values, np.concatenate([part.sigma for part in parts])
