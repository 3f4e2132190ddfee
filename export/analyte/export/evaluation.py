"""Errors of a run or a bundle on a dataset: Keras, the baseline and every artifact side by side."""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from analyte.contract.arrays import Float32Array, Float64Array, UInt8Array
from analyte.contract.bundle import Bundle, is_bundle, open_bundle
from analyte.contract.covariates import Covariate, CovariateSpec
from analyte.contract.dataset import Dataset, Sample, sample_hashes
from analyte.contract.errors import DatasetError, InputError
from analyte.contract.metrics import Metrics, regression_metrics
from analyte.contract.pictures import load_pictures
from analyte.contract.preprocessing import PreprocessingSpec, is_grey
from analyte.contract.reading import Reason
from analyte.contract.run import MODEL_FILE, DatasetRecord, load_record, load_samples
from analyte.contract.splits import new_by
from analyte.contract.verdict import Verdict, compare_with_curve
from analyte.export.trained_model import load_model, predict
from analyte.runtime.engines.protocol import Prediction
from analyte.runtime.engines.registry import open_engine
from analyte.runtime.judgement import Rules
from analyte.runtime.pipeline import rules_of

_BATCH = 64
Predictor = Callable[[UInt8Array, Float32Array | None], Prediction]
"""From pictures ``[N, V, S, S, 3]`` and covariates ``[N, K]`` (None where K is 0) to what is said of them."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is evaluated, from a run folder or a bundle."""

    views: tuple[str, ...]
    covariates: CovariateSpec
    preprocessing: PreprocessingSpec
    rules: Rules
    """What decides which predictions a device reports."""
    colour: bool
    """Whether a device refuses grey pictures."""
    dataset: DatasetRecord
    """What it was trained on."""
    predictors: dict[str, Predictor]
    """``keras`` and the artifacts, by name."""


@dataclass(frozen=True, slots=True)
class GroupCoverage:
    """Shares of true values inside the interval, 0 to 1, by group: what intervals promise is by group."""

    groups: int
    mean: float
    """Of the groups, each counted once however many samples it has."""
    lowest: float


@dataclass(frozen=True, slots=True)
class Result:
    """One row. Errors are over all samples, refused ones included; shares are 0 to 1."""

    name: str
    metrics: Metrics
    coverage: float | None
    """Share of true values inside the interval; None for the baseline."""
    group_coverage: GroupCoverage | None
    """The same by group; None for the baseline, and where every sample is a group of its own."""
    foreign: float | None
    """Share of samples that a device refuses as foreign; None for the baseline and without such a score."""
    refused: float | None
    """Share of samples that a device refuses for any reason; None for the baseline."""


@dataclass(frozen=True, slots=True)
class SamplePrediction:
    """What one predictor said of one sample; values in the label's unit."""

    predictor: str
    sample: str
    group: str
    session: str
    true: float
    value: float
    lower: float | None
    """Lower end of the interval; None for the baseline."""
    upper: float | None
    refused: str | None
    """Why a device would refuse it (`analyte.contract.reading.Reason`); None where it would not."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Samples to evaluate on."""

    dataset: Dataset
    split: str
    """``test``: marked as such, or what training left aside; ``all``: data that training knew nothing of."""
    seen: int
    """Samples that were left out because training or validation saw them."""
    new_by: list[str]
    """What makes each sample new to the model, see `analyte.contract.splits.new_by`."""


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
    verdict: Verdict
    """Keras against the baseline, by the groups of these samples."""
    predictions: tuple[SamplePrediction, ...]
    """What every predictor said of every sample, in the order of ``results``, then of the samples."""


def open_subject(path: Path) -> Subject:
    """Open a run folder or a bundle. Raises: InputError, IntegrityError, UnavailableError."""
    if is_bundle(path):
        return _bundle_subject(open_bundle(path))
    if not os.path.lexists(path):
        raise InputError("no such file or folder", where=path, expected="a run folder or a bundle")
    record = load_record(path)
    rules = Rules(
        label=record.label,
        interval=record.interval,
        baseline=record.baseline,
        disagreement_limit=record.disagreement_limit,
        foreign=record.foreign,
    )
    colour = not is_grey(load_samples(path).train_images)
    predictors = {"keras": _keras_predictor(path / MODEL_FILE)}
    return Subject(
        record.views, record.covariates, record.preprocessing, rules, colour, record.dataset, predictors
    )


def _bundle_subject(bundle: Bundle) -> Subject:
    manifest = bundle.manifest
    with bundle.on_disk(manifest.model) as model:
        predictors: dict[str, Predictor] = {"keras": _keras_predictor(model)}
    for artifact in manifest.artifacts:
        engine = open_engine(bundle.read(artifact), artifact.engine, where=bundle.path / artifact.file)
        predictors[artifact.name] = engine.run
    return Subject(
        manifest.views,
        manifest.covariates,
        manifest.preprocessing,
        rules_of(manifest),
        manifest.colour,
        manifest.provenance.dataset,
        predictors,
    )


def _keras_predictor(path: Path) -> Predictor:
    model = load_model(path)
    return lambda images, covariates: predict(model, images, covariates)


def choose_samples(dataset: Dataset, subject: Subject) -> Chosen:
    """Return the samples to evaluate on: never one whose very pictures training or validation saw.

    The test split where the dataset marks one, else every sample; then without those that were seen.
    Raises: DatasetError when the views or unit differ, a covariate has no column, or nothing is left.
    """
    if dataset.spec.views != subject.views or dataset.spec.unit != subject.rules.label.unit:
        raise DatasetError(
            "the dataset does not fit the model",
            where=dataset.root,
            expected=f"views {', '.join(subject.views)} in {subject.rules.label.unit}",
            got=f"views {', '.join(dataset.spec.views)} in {dataset.spec.unit}",
        )
    absent = [name for name in subject.covariates.names if name not in dataset.spec.covariate_names]
    if absent:
        raise DatasetError(
            f"the dataset has no covariate {absent[0]!r}, which the model takes",
            where=dataset.root,
            expected=", ".join(subject.covariates.names),
            got=", ".join(dataset.spec.covariate_names) or "none",
        )
    marked = dataset.subset("test")
    candidates = marked if marked.samples else dataset
    known = frozenset(subject.dataset.seen)
    hashes = sample_hashes(candidates.samples)
    fresh = tuple(s for s, digest in zip(candidates.samples, hashes, strict=True) if digest not in known)
    trained = dataset.subset("train").samples if marked.samples else set(candidates.samples) - set(fresh)
    seen = len(candidates.samples) - len(fresh)
    if not fresh:
        raise DatasetError(
            "every sample was seen in training or validation, so no error measured on it would count",
            where=dataset.root,
            got=f"{seen} samples",
            fix="Evaluate on pictures that training never saw",
        )
    split = "test" if marked.samples or seen else "all"
    return Chosen(replace(dataset, samples=fresh), split, seen, new_by(tuple(trained), fresh))


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
    beside = [chosen.covariates_of(sample) for sample in chosen.samples]
    covariates = subject.covariates.encode_all(beside)
    true = np.asarray([sample.value for sample in chosen.samples], np.float64)
    said = {name: run(predictor, images, covariates) for name, predictor in subject.predictors.items()}
    by_curve, unit = subject.rules.baseline.predict(images), subject.rules.label.unit
    curve = Result("baseline", regression_metrics(true, by_curve), None, None, foreign=None, refused=None)
    reasons = {name: refusals(subject, images, said[name], beside) for name in said}
    first, *others = (
        _result(name, subject, chosen.samples, prediction, reasons[name]) for name, prediction in said.items()
    )
    results = (first, curve, *others)
    verdict = compare_with_curve(true, said["keras"].value, by_curve, choice.new_by, unit)
    half = {name: _half_widths(subject, prediction) for name, prediction in said.items()}
    values = {name: prediction.value.astype(np.float64) for name, prediction in said.items()}
    predictions = tuple(
        line
        for row in results
        for line in _predictions(
            row.name,
            chosen.samples,
            values.get(row.name, np.asarray(by_curve, np.float64)),
            half.get(row.name),
            reasons.get(row.name, [None] * len(true)),
        )
    )
    return Evaluation(dataset.spec.name, choice.split, choice.seen, unit, results, verdict, predictions)


def _half_widths(subject: Subject, prediction: Prediction) -> Float64Array:
    """Return half of each interval, label's unit, ``[N]``."""
    widths: Float64Array = subject.rules.interval.quantile * prediction.sigma.astype(np.float64)
    return widths


def _result(
    name: str,
    subject: Subject,
    samples: Sequence[Sample],
    prediction: Prediction,
    reasons: Sequence[Reason | None],
) -> Result:
    """Return one row. ``samples``: N. ``reasons``: ``[N]``, see `refusals`."""
    true = np.asarray([sample.value for sample in samples], np.float64)
    values = prediction.value.astype(np.float64)
    inside = np.abs(values - true) <= _half_widths(subject, prediction)
    return Result(
        name,
        regression_metrics(true, values),
        coverage=float(np.mean(inside)),
        group_coverage=_by_group(inside, [sample.group for sample in samples]),
        foreign=None if subject.rules.foreign is None else reasons.count(Reason.FOREIGN) / len(true),
        refused=1.0 - reasons.count(None) / len(true),
    )


def _by_group(inside: npt.NDArray[np.bool_], groups: Sequence[str]) -> GroupCoverage | None:
    names = np.asarray(groups, np.str_)
    shares = [float(inside[names == name].mean()) for name in dict.fromkeys(groups)]
    if len(shares) == len(groups):
        return None
    return GroupCoverage(len(shares), float(np.mean(shares)), min(shares))


def _predictions(
    name: str,
    samples: Sequence[Sample],
    values: Float64Array,
    half: Float64Array | None,
    reasons: Sequence[Reason | None],
) -> Iterator[SamplePrediction]:
    """Yield what one predictor said. ``values``, ``half``: ``[N]``, label's unit."""
    for index, (sample, reason) in enumerate(zip(samples, reasons, strict=True)):
        value = float(values[index])
        yield SamplePrediction(
            name,
            sample.id,
            sample.group,
            sample.session,
            sample.value,
            value,
            lower=None if half is None else value - float(half[index]),
            upper=None if half is None else value + float(half[index]),
            refused=None if reason is None else reason.value,
        )


def write_predictions(predictions: Sequence[SamplePrediction], file: IO[bytes]) -> None:
    """Write one line of CSV per predictor and sample; what there is not stays empty."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow([entry.name for entry in fields(SamplePrediction)])
    writer.writerows(astuple(prediction) for prediction in predictions)
    text.detach()


def refusals(
    subject: Subject, images: UInt8Array, prediction: Prediction, beside: Sequence[Mapping[str, Covariate]]
) -> list[Reason | None]:
    """Return why a device would refuse each of the samples; None where it would not.

    ``images``: ``[N, V, S, S, 3]``, RGB. ``beside``: the covariates of each, by name.
    """
    reasons: list[Reason | None] = []
    judged = subject.rules.judge(images, prediction)
    for picture, judgement, values in zip(images, judged, beside, strict=True):
        if subject.colour and is_grey(picture):
            reasons.append(Reason.BAD_FRAME)
        elif subject.covariates.examine(values).problem:
            reasons.append(Reason.COVARIATE)
        else:
            reasons.append(judgement.reason)
    return reasons


def run(predictor: Predictor, images: UInt8Array, covariates: Float32Array) -> Prediction:
    """Return what a predictor says of pictures ``[N, V, S, S, 3]``, RGB, and covariates ``[N, K]``."""
    parts = [
        predictor(images[start : start + _BATCH], covariates[start : start + _BATCH])
        for start in range(0, len(images), _BATCH)
    ]
    return Prediction(
        value=np.concatenate([part.value for part in parts]),
        sigma=np.concatenate([part.sigma for part in parts]),
        features=np.concatenate([part.features for part in parts]),
    )
