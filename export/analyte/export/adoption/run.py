"""The run folder of a model that analyte did not train, made from labelled pictures."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import keras
import numpy as np
from tqdm import tqdm

from analyte.contract.arrays import Float64Array, UInt8Array
from analyte.contract.calibration_curve import disagreement_limit, fit_baseline
from analyte.contract.covariates import CovariateSpec
from analyte.contract.dataset import Dataset, Sample
from analyte.contract.errors import DatasetError, InputError, IntegrityError
from analyte.contract.foreign import ForeignCalibration, calibrate_foreign
from analyte.contract.interval import COVERAGE, calibrate_interval
from analyte.contract.labels_file import SPEC_FILE, load_dataset
from analyte.contract.metrics import regression_metrics
from analyte.contract.pictures import load_pictures
from analyte.contract.preprocessing import PreprocessingSpec
from analyte.contract.run import MODEL_FILE, DatasetRecord, RunRecord, RunSamples, save_record
from analyte.contract.sampling import spread_over_levels
from analyte.contract.splits import assign_splits, new_by
from analyte.contract.verdict import compare_with_curve
from analyte.contract.versions import installed_versions
from analyte.export.adoption.spec import ModelSpec
from analyte.export.adoption.wrapping import Foreign, as_owner, load_foreign, under_contract
from analyte.export.trained_model import predict
from analyte.runtime.engines.protocol import Prediction

RECIPE = "adopted"
"""What stands for the recipe of a network that analyte did not train."""
_SEED = 0
_LEAST = 32
"""Samples of a split below which neither ranges nor an interval can be trusted."""
_COMPARED = 32
"""Pictures on which the model is compared with what it was before."""
_FLOAT_NOISE = 2e-5
"""What folding normalizations in another precision may move, as a share of range and value."""
_GUESS = 4
"""The middle of the range, always said, errs by a quarter of it where values are spread evenly."""
_LIBRARIES = ("tensorflow", "keras", "numpy", "opencv-python-headless")


@dataclass(frozen=True, slots=True)
class _Part:
    """Samples of one split that travel with the run, with their pictures ``[N, V, S, S, 3]``, RGB."""

    samples: tuple[Sample, ...]
    images: UInt8Array

    @property
    def values(self) -> Float64Array:
        return np.asarray([sample.value for sample in self.samples], np.float64)

    @property
    def groups(self) -> list[str]:
        return [sample.group for sample in self.samples]

    @property
    def sessions(self) -> list[str]:
        return [sample.session for sample in self.samples]


def adopt(file: Path, spec: ModelSpec, calibration: Path, folder: Path) -> RunRecord:
    """Write the run folder of a Keras model; ``folder`` exists and is empty.

    ``calibration``: a dataset in the label's unit. Its train split sets integer ranges; its val split, which
    the model's training never saw, judges the artifacts and calibrates interval and refusals; its test split
    is left alone.
    Raises: InputError, DatasetError, IntegrityError for a model, labels or pictures that do not fit.
    """
    dataset = _dataset(calibration, spec)
    foreign = load_foreign(file, spec)
    _check_views(dataset, foreign, file)
    preprocessing = PreprocessingSpec(size=foreign.size)
    train, val = (_load(dataset, split, preprocessing) for split in ("train", "val"))
    sigma = _typical_error(under_contract(foreign, spec, 1.0), val, dataset)
    model = under_contract(foreign, spec, sigma)
    _check_unchanged(model, foreign, spec, val, dataset, file)
    model.save(folder / MODEL_FILE)
    RunSamples(
        train.images, train.values, tuple(train.sessions), val.images, val.values, tuple(val.sessions)
    ).save(folder)
    record = _record(file, spec, dataset, model, preprocessing, train, val)
    save_record(record, folder)
    return record


def warnings_of(record: RunRecord) -> list[str]:
    """Return what looks wrong about a model on pictures that it has not seen, in words."""
    mae, curve, unit = *(record.validation_mae[name] for name in ("keras", "baseline")), record.label.unit
    if mae <= curve:
        return []
    guess = ", no better than a guess," if mae >= record.label.span / _GUESS else ""
    return [
        f"on unseen pictures the model is{guess} worse than a calibration curve on mean colours: "
        f"MAE {mae:.4g} against {curve:.4g} {unit}. Check black, white and channels in the specification"
    ]


def _dataset(path: Path, spec: ModelSpec) -> Dataset:
    """Read the labelled pictures and complete their splits, so that what is called unseen is."""
    root = path.parent if path.is_file() else path
    stated = (root / SPEC_FILE).is_file()
    dataset = load_dataset(path, unit=None if stated else spec.unit, analyte=None if stated else spec.analyte)
    if dataset.spec.unit != spec.unit:
        raise DatasetError(
            "the labels are in another unit than the model's value",
            where=path,
            expected=f"{spec.unit}, as the specification says",
            got=dataset.spec.unit,
            fix="Correct the specification's unit, or bring the model's output to that of the labels by "
            "output.scale and output.offset",
        )
    if dataset.spec.covariate_names:
        raise DatasetError(
            "the dataset has covariates, which a model that analyte did not train cannot take",
            where=path,
            got=", ".join(dataset.spec.covariate_names),
            fix="Take them out of dataset.toml",
        )
    if spec.unseen == "val" and not dataset.subset("val").samples:
        raise DatasetError(
            "no row of the split column says val, so nobody knows which pictures the model has not seen",
            where=path,
            got=dataset.counts(),
            fix='Mark pictures that its training never saw as val, or write unseen = "all" in the '
            "specification where that is true of every picture",
        )
    return assign_splits(dataset, seed=_SEED)


def _check_views(dataset: Dataset, foreign: Foreign, file: Path) -> None:
    if len(dataset.spec.views) != foreign.views:
        raise InputError(
            "the model takes another number of views than a sample of the dataset has",
            where=file,
            expected=f"{len(dataset.spec.views)}: {', '.join(dataset.spec.views)}",
            got=foreign.views,
        )


def _load(dataset: Dataset, split: str, spec: PreprocessingSpec) -> _Part:
    samples = tuple(sample for sample in dataset.samples if sample.split == split)
    if len(samples) < _LEAST:
        raise DatasetError(
            f"too few {split} samples",
            where=dataset.root,
            expected=f"at least {_LEAST}",
            got=len(samples),
            fix="Label more pictures",
        )
    index = spread_over_levels(
        np.asarray([sample.value for sample in samples]),
        [sample.session for sample in samples],
    )
    samples = tuple(samples[i] for i in index)
    with tqdm(total=len(samples), desc=f"read {split}", file=sys.stderr, disable=None, leave=False) as bar:
        images = load_pictures(samples, spec, where=dataset.root, on_progress=bar.update)
    return _Part(samples, images)


def _typical_error(model: keras.Model, val: _Part, dataset: Dataset) -> float:
    """Return the root mean square error on what the model has not seen, label's unit."""
    said = predict(model, val.images).value.astype(np.float64)
    if not np.isfinite(said).all():
        raise InputError(
            "the model gives values that are not finite",
            where=dataset.root,
            got=f"{int((~np.isfinite(said)).sum())} of {len(said)} val samples",
            fix="Check input.black and input.white in the specification",
        )
    floor = 1e-6 * dataset.spec.label.span
    return max(regression_metrics(val.values, said).rmse, floor)


def _check_unchanged(
    model: keras.Model, foreign: Foreign, spec: ModelSpec, val: _Part, dataset: Dataset, file: Path
) -> None:
    """Refuse a model that says something else than the file's own: all that follows is judged by it."""
    images = val.images[:_COMPARED]
    wanted = as_owner(foreign, spec, images)
    apart = float(np.max(np.abs(predict(model, images).value - wanted)))
    allowed = _FLOAT_NOISE * (dataset.spec.label.span + float(np.max(np.abs(wanted))))
    if not apart <= allowed:
        raise IntegrityError(
            "under the graph contract the model does not say what it said before",
            where=file,
            expected=f"deviations up to {allowed:.2g} {spec.unit}",
            got=f"{apart:.3g} {spec.unit}",
            fix="Please report it, with the model",
        )


def _record(
    file: Path,
    spec: ModelSpec,
    dataset: Dataset,
    model: keras.Model,
    preprocessing: PreprocessingSpec,
    train: _Part,
    val: _Part,
) -> RunRecord:
    said = predict(model, val.images)
    value, sigma = said.value.astype(np.float64), said.sigma.astype(np.float64)
    baseline = fit_baseline(train.images, train.values, train.groups)
    by_curve = baseline.predict(val.images)
    new = new_by(train.samples, val.samples)
    interval = calibrate_interval(val.values, value, sigma, coverage=COVERAGE, groups=new)
    label = dataset.spec.label
    return RunRecord(
        recipe=RECIPE,
        settings={"model": file.name, "model_sha256": _sha256(file), "spec": spec.model_dump_json()},
        seed=None,
        label=label,
        views=dataset.spec.views,
        rotation_invariant=dataset.spec.rotation_invariant,
        preprocessing=preprocessing,
        covariates=CovariateSpec(),
        parameters=model.count_params(),
        dataset=DatasetRecord.of(dataset, (s for s in dataset.samples if s.split != "test")),
        splits={sample.id: sample.split or "" for sample in dataset.samples},
        baseline=baseline,
        interval=interval,
        foreign=_foreign(model, train, val, said, new),
        disagreement_limit=disagreement_limit(value, by_curve),
        median_half_width=interval.quantile * float(np.median(sigma)),
        validation_mae={
            "keras": regression_metrics(val.values, value).mae,
            "baseline": regression_metrics(val.values, by_curve).mae,
        },
        verdict=compare_with_curve(val.values, value, by_curve, new, label.unit).sentence,
        epochs=0,
        best_epoch=0,
        interrupted=False,
        seconds=0.0,
        versions=installed_versions(_LIBRARIES),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _foreign(
    model: keras.Model, train: _Part, val: _Part, said: Prediction, new: list[str]
) -> ForeignCalibration:
    return calibrate_foreign(
        predict(model, train.images).features,
        said.features,
        train_groups=train.sessions if new == val.sessions else train.groups,
        val_groups=new,
    )


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
