"""From a run folder and a dataset to what a report shows. Loads the saved model by plain Keras."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from analyte.contract.arrays import Float64Array, UInt8Array
from analyte.contract.dataset import SPLITS, Dataset, Split, sample_hashes
from analyte.contract.errors import DatasetError, IntegrityError
from analyte.contract.run import MODEL_FILE, RunRecord, load_record
from analyte.train.cost import count_macs, measure_latency
from analyte.train.fitting import predict
from analyte.train.parts import Part, load_part
from analyte.train.report.contents import ReportInputs, ShownSplit, report_inputs

HISTORY_FILE = "history.csv"


def inputs_of_run(run: Path, dataset: Dataset, split: ShownSplit) -> ReportInputs:
    """Measure a run on the ``split`` of ``dataset``.

    ``val``: the validation split that ``run.json`` recorded; the dataset must be the one that was trained on.
    ``test``: what the dataset marks as test, else everything, without samples that training saw.
    Raises: InputError, DatasetError, IntegrityError.
    """
    record = load_record(run)
    shown, everything, left_out = choose_samples(dataset, record, split)
    model = _load_model(run / MODEL_FILE)
    part = load_part(shown, split, record.preprocessing, record.covariates)
    said = predict(model, part.data)
    return report_inputs(
        record,
        everything,
        part.samples,
        part.data.images,
        split=split,
        predicted=said["value"],
        sigma=said["sigma"],
        features=said["features"],
        baseline=record.baseline.predict(part.data.images),
        history=read_history(run / HISTORY_FILE),
        model_file=run / MODEL_FILE,
        turned=values_of_turned(model, part),
        macs=count_macs(model),
        latency_ms=measure_latency(model),
        left_out=left_out,
    )


def choose_samples(dataset: Dataset, record: RunRecord, split: ShownSplit) -> tuple[Dataset, Dataset, int]:
    """Return the samples to show (all of split ``split``), the dataset with its splits, and how many test
    samples are left out because training saw their pictures.

    Raises: DatasetError when the data do not fit the model or nothing is left to show.
    """
    if dataset.spec.views != record.views or dataset.spec.unit != record.label.unit:
        raise DatasetError(
            "the dataset does not fit the model",
            where=dataset.root,
            expected=f"views {', '.join(record.views)} in {record.label.unit}",
            got=f"views {', '.join(dataset.spec.views)} in {dataset.spec.unit}",
        )
    known_covariates = set(dataset.spec.covariate_names)
    if missing := [name for name in record.covariates.names if name not in known_covariates]:
        raise DatasetError(
            "the dataset lacks covariates that the model takes",
            where=dataset.root,
            expected=", ".join(missing),
            got=", ".join(dataset.spec.covariate_names) or "none",
            fix="Add the columns to labels.csv and name them in dataset.toml",
        )
    trained_on = _as_trained(dataset, record)
    if split == "val":
        if trained_on is None:
            raise DatasetError(
                "not the data that the run was trained on, so its validation split is not in them",
                where=dataset.root,
                expected=f"{record.dataset.name} with sha256 {record.dataset.sha256[:16]}",
                got=dataset.spec.name,
                fix="Give the dataset of the run, unchanged, or pass --split test",
            )
        return trained_on.subset("val"), trained_on, 0
    everything = trained_on or dataset
    marked = everything.subset("test")
    candidates = marked.samples or everything.samples
    known = frozenset(record.dataset.seen)
    fresh = [
        s for s, digest in zip(candidates, sample_hashes(candidates), strict=True) if digest not in known
    ]
    if not fresh:
        raise DatasetError(
            "every sample was seen in training or validation, so no error measured on it would count",
            where=dataset.root,
            got=f"{len(candidates)} samples",
            fix="Give pictures that training never saw",
        )
    shown = tuple(replace(sample, split="test") for sample in fresh)
    return replace(everything, samples=shown), everything, len(candidates) - len(fresh)


def _as_trained(dataset: Dataset, record: RunRecord) -> Dataset | None:
    """Return the dataset with the splits of the run, or None when it holds other data."""
    recorded: dict[str, Split] = {
        s: found for s, text in record.splits.items() for found in SPLITS if found == text
    }
    if set(recorded) != {sample.id for sample in dataset.samples}:
        return None
    split = dataset.with_splits(recorded)
    return split if split.digest() == record.dataset.sha256 else None


def values_of_turned(model: keras.Model, part: Part) -> Callable[[UInt8Array, int], Float64Array]:
    """Return what `analyte.train.report.contents.report_inputs` takes as ``turned``.

    It predicts values ``[A]``, label's unit, from pictures ``[A, V, S, S, 3]`` in the place of those of one
    sample of ``part``, with all else that is known of that sample.
    """

    def values(pictures: UInt8Array, index: int) -> Float64Array:
        same = part.data.take(np.full(len(pictures), index))
        return predict(model, replace(same, images=pictures))["value"]

    return values


def read_history(path: Path) -> list[Mapping[str, float]]:
    """Return what was recorded of each epoch; nothing where there is no such file.

    Raises: IntegrityError when it is damaged.
    """
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [{name: float(text) for name, text in row.items()} for row in csv.DictReader(file)]
    except (ValueError, TypeError, AttributeError, csv.Error) as error:
        raise IntegrityError("not a table of numbers", where=path, got=error) from error


def _load_model(path: Path) -> keras.Model:
    try:
        return keras.saving.load_model(path, compile=False)
    except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
        raise IntegrityError("not a readable Keras model", where=path, got=error) from error
