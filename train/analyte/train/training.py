"""From a dataset to a run folder."""

from __future__ import annotations

import csv
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from analyte.contract.arrays import Float64Array, UInt8Array
from analyte.contract.baseline import Baseline
from analyte.contract.dataset import Dataset, Sample, sample_hashes
from analyte.contract.errors import DatasetError
from analyte.contract.interval import calibrate_interval
from analyte.contract.metrics import regression_metrics
from analyte.contract.pictures import load_pictures
from analyte.contract.preprocessing import PreprocessingSpec
from analyte.contract.run import (
    MODEL_FILE,
    DatasetRecord,
    RunRecord,
    RunSamples,
    save_record,
)
from analyte.contract.versions import installed_versions
from analyte.train.augmentation import Augmentation
from analyte.train.baseline import fit_baseline
from analyte.train.fitting import Fit, FitSettings, LabelledPictures, choose_batch_size, fit, predict
from analyte.train.folding import fold
from analyte.train.network import build_core
from analyte.train.plots import plot_predicted
from analyte.train.recipes.recipe import Recipe

_COVERAGE = 0.95
_MIN_TRAIN = 8
_DISAGREEMENT_HEADROOM = 1.5
"""Times the largest disagreement of network and baseline in validation: sessions to come are other ones."""
_LIBRARIES = ("tensorflow", "keras", "numpy", "opencv-python-headless")
_MAX_AUTO_SIZE = 64
_CALIBRATION = 512
"""Samples of each split that travel with the run for quantization and its gate."""


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """What the command line sets."""

    recipe: Recipe
    fit: FitSettings
    size: int | None
    """Edge of the picture that the network takes, pixels; None chooses by the smallest region."""
    augment: bool


@dataclass(frozen=True, slots=True)
class _Part:
    """One split, loaded. ``images``: uint8 ``[N, V, S, S, 3]``; ``values``: ``[N]``, label's unit."""

    samples: tuple[Sample, ...]
    images: UInt8Array
    values: Float64Array

    @property
    def labelled(self) -> LabelledPictures:
        return LabelledPictures(self.images, self.values)

    @property
    def groups(self) -> list[str]:
        return [sample.group for sample in self.samples]


def train(dataset: Dataset, settings: TrainSettings, folder: Path) -> RunRecord:
    """Train on a dataset whose splits are assigned and write the run into ``folder``, which exists.

    The test split is not looked at. Raises: DatasetError, AnalyteError.
    """
    started = time.monotonic()
    # One seed rules initial weights, shuffling and augmentation.
    keras.utils.set_random_seed(settings.fit.seed)
    tf.config.experimental.enable_op_determinism()
    preprocessing = PreprocessingSpec(size=choose_size(dataset, settings))
    parts = {name: _load(dataset, name, preprocessing) for name in ("train", "val")}
    if len(parts["train"].samples) < _MIN_TRAIN:
        raise DatasetError(
            "too few training samples",
            where=dataset.root,
            expected=f"at least {_MIN_TRAIN}",
            got=len(parts["train"].samples),
        )
    if np.ptp(parts["train"].values) == 0:
        raise DatasetError(
            "all training samples have the same value, so there is nothing to learn",
            where=dataset.root,
            got=f"{parts['train'].values[0]:g} {dataset.spec.unit}",
        )
    baseline = fit_baseline(parts["train"].images, parts["train"].values, parts["train"].groups)
    core = build_core(settings.recipe, dataset.spec.label, dataset.spec.views, preprocessing.size)
    augmentation = Augmentation(rotation=dataset.spec.rotation_invariant) if settings.augment else None
    fitted = fit(
        core,
        parts["train"].labelled,
        parts["val"].labelled,
        augmentation=augmentation,
        settings=settings.fit,
        label=dataset.spec.label,
    )
    return _write(
        folder, dataset, settings, preprocessing, parts, core, fitted, baseline, time.monotonic() - started
    )


def choose_size(dataset: Dataset, settings: TrainSettings) -> int:
    """Return the edge of the network's picture, pixels.

    Automatic: the smallest region's shorter side, rounded down to what the recipe's pooling needs, at most
    64. Enlarging pictures adds no information. Raises: DatasetError when ``size`` does not fit the recipe.
    """
    step = settings.recipe.size_step
    if settings.size is not None:
        if settings.size % step or settings.size < 2 * step:
            raise DatasetError(
                "the size does not fit the recipe",
                where=f"--size {settings.size}",
                expected=f"a multiple of {step} px, at least {2 * step}",
            )
        return settings.size
    sides = [
        min(view.region.w, view.region.h)
        for sample in dataset.samples
        for view in sample.views
        if view.region is not None
    ]
    shortest = min(sides, default=_MAX_AUTO_SIZE)
    return max(2 * step, min(_MAX_AUTO_SIZE, shortest) // step * step)


def _load(dataset: Dataset, split: str, spec: PreprocessingSpec) -> _Part:
    samples = tuple(sample for sample in dataset.samples if sample.split == split)
    with tqdm(total=len(samples), desc=f"read {split}", file=sys.stderr, disable=None, leave=False) as bar:
        images = load_pictures(samples, spec, where=dataset.root, on_progress=bar.update)
    return _Part(samples, images, np.asarray([sample.value for sample in samples], np.float64))


def _write(
    folder: Path,
    dataset: Dataset,
    settings: TrainSettings,
    preprocessing: PreprocessingSpec,
    parts: dict[str, _Part],
    core: keras.Model,
    fitted: Fit,
    baseline: Baseline,
    seconds: float,
) -> RunRecord:
    val = parts["val"]
    label = dataset.spec.label
    predicted, sigma = predict(core, val.images)
    metrics = regression_metrics(val.values, predicted)
    interval = calibrate_interval(val.values, predicted, sigma, coverage=_COVERAGE)
    model = fold(core)
    model.save(folder / MODEL_FILE)
    by_baseline = baseline.predict(val.images)
    record = RunRecord(
        recipe=settings.recipe.name,
        settings={
            "size": preprocessing.size,
            "augment": settings.augment,
            "epochs": settings.fit.epochs,
            "patience": settings.fit.patience,
            "batch_size": choose_batch_size(len(parts["train"].samples), settings.fit),
            "learning_rate": settings.fit.learning_rate,
            "weight_decay": settings.fit.weight_decay,
        },
        seed=settings.fit.seed,
        label=label,
        views=dataset.spec.views,
        rotation_invariant=dataset.spec.rotation_invariant,
        preprocessing=preprocessing,
        parameters=model.count_params(),
        dataset=DatasetRecord(
            name=dataset.spec.name,
            sha256=dataset.digest(),
            licence=dataset.spec.licence,
            counts=dataset.counts(),
            seen=tuple(sorted(sample_hashes((*parts["train"].samples, *val.samples)))),
        ),
        splits={sample.id: sample.split or "" for sample in dataset.samples},
        baseline=baseline,
        interval=interval,
        disagreement_limit=_DISAGREEMENT_HEADROOM * float(np.max(np.abs(predicted - by_baseline))),
        median_half_width=interval.quantile * float(np.median(sigma)),
        validation_mae={
            "keras": metrics.mae,
            "baseline": regression_metrics(val.values, by_baseline).mae,
        },
        epochs=len(fitted.history),
        best_epoch=fitted.best_epoch,
        interrupted=fitted.interrupted,
        seconds=round(seconds, 1),
        versions=installed_versions(_LIBRARIES),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    save_record(record, folder)
    _run_samples(parts, settings.fit.seed).save(folder)
    _write_history(fitted, folder / "history.csv")
    plot_predicted(
        val.values,
        {f"{settings.recipe.name} network": predicted, "baseline (mean colour, ridge)": by_baseline},
        label,
        f"{dataset.spec.name}: {label.analyte}, validation split",
        folder / "predicted.png",
    )
    return record


def _run_samples(parts: dict[str, _Part], seed: int) -> RunSamples:
    train, val = (_stratified(parts[name], seed) for name in ("train", "val"))
    return RunSamples(
        train_images=parts["train"].images[train],
        train_values=parts["train"].values[train],
        train_sessions=tuple(parts["train"].samples[i].session for i in train),
        val_images=parts["val"].images[val],
        val_values=parts["val"].values[val],
        val_sessions=tuple(parts["val"].samples[i].session for i in val),
    )


def _stratified(part: _Part, seed: int) -> list[int]:
    """Choose up to `_CALIBRATION` samples that cover sessions and levels evenly; return their indices.

    Samples are taken in turn from every session, each session's own in an order that spreads over its values.
    """
    if len(part.samples) <= _CALIBRATION:
        return list(range(len(part.samples)))
    rng = np.random.default_rng(seed)
    queues: dict[str, list[int]] = {}
    for index in np.argsort(part.values, kind="stable"):
        queues.setdefault(part.samples[index].session, []).append(int(index))
    for name, queue in queues.items():
        # Every k-th of the sorted values first, then the next offset: any prefix spans the levels.
        step = max(1, len(queue) * len(queues) // _CALIBRATION)
        start = int(rng.integers(step))
        queues[name] = [i for offset in range(step) for i in queue[(start + offset) % step :: step]]
    chosen: list[int] = []
    depth = 0
    while len(chosen) < _CALIBRATION:
        chosen += [queue[depth] for queue in queues.values() if depth < len(queue)]
        depth += 1
    return sorted(chosen[:_CALIBRATION])


def _write_history(fitted: Fit, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(fitted.history[0]))
        writer.writeheader()
        writer.writerows(fitted.history)
