"""From a fitted network to the run folder, where export takes over."""

from __future__ import annotations

import csv
import hashlib
from datetime import UTC, datetime
from pathlib import Path

import keras
import numpy as np

from analyte.contract.arrays import Float64Array
from analyte.contract.calibration_curve import disagreement_limit
from analyte.contract.foreign import ForeignCalibration, calibrate_foreign
from analyte.contract.interval import COVERAGE, IntervalCalibration, calibrate_interval
from analyte.contract.metrics import regression_metrics
from analyte.contract.run import (
    MODEL_FILE,
    REPORT_FILE,
    DatasetRecord,
    RunRecord,
    RunSamples,
    save_record,
)
from analyte.contract.sampling import spread_over_levels
from analyte.contract.splits import new_by
from analyte.contract.versions import installed_versions
from analyte.train.augmentation import AUGMENTATIONS
from analyte.train.augmentation.contact_sheet import write_contact_sheet
from analyte.train.cost import count_macs, measure_latency
from analyte.train.cross_validation import write_folds
from analyte.train.fitting import Fit, choose_batch_size, predict
from analyte.train.folding import fold
from analyte.train.parts import join_parts
from analyte.train.plots import plot_predicted
from analyte.train.report.contents import report_inputs
from analyte.train.report.from_run import HISTORY_FILE, values_of_turned
from analyte.train.report.write import write_report
from analyte.train.training import Trained

FOLDS_FILE = "folds.csv"
PLOT_FILE = "predicted.png"
AUGMENTATION_FILE = "augmentation.png"

_LIBRARIES = ("tensorflow", "keras", "numpy", "opencv-python-headless")


def write_run(trained: Trained, folder: Path) -> RunRecord:
    """Write the run into ``folder``, which exists."""
    val = trained.val
    predicted = predict(trained.core, val.data)
    by_baseline = trained.baseline.predict(val.data.images)
    model = fold(trained.core)
    model.save(folder / MODEL_FILE)
    record = _record(trained, model, predicted, by_baseline)
    _run_samples(trained).save(folder)
    _write_history(trained.fit, folder / HISTORY_FILE)
    verdict = _write_pictures(trained, record, model, predicted, by_baseline, folder)
    record = record.model_copy(update={"verdict": verdict})
    save_record(record, folder)
    if trained.folds is not None:
        write_folds(join_parts([trained.train, val]), trained.folds, folder / FOLDS_FILE)
    return record


def _write_pictures(
    trained: Trained,
    record: RunRecord,
    model: keras.Model,
    predicted: dict[str, Float64Array],
    by_baseline: Float64Array,
    folder: Path,
) -> str:
    """Write what people rather look at: the report, predicted against true, what augmentation does.

    Returns: the report's verdict.
    """
    val = trained.val
    plot_predicted(
        val.data.values,
        {f"{record.recipe} network": predicted["value"], "baseline (mean colour, ridge)": by_baseline},
        record.label,
        f"{record.dataset.name}: {record.label.analyte}, validation split",
        folder / PLOT_FILE,
    )
    write_contact_sheet(
        trained.train.data.images,
        trained.train.data.values,
        record.label.unit,
        AUGMENTATIONS[trained.settings.augment](record.rotation_invariant),
        folder / AUGMENTATION_FILE,
        trained.settings.fit.seed,
    )

    inputs = report_inputs(
        record,
        trained.dataset,
        val.samples,
        val.data.images,
        split="val",
        predicted=predicted["value"],
        sigma=predicted["sigma"],
        features=predicted["features"],
        baseline=by_baseline,
        history=trained.fit.history,
        model_file=folder / MODEL_FILE,
        turned=values_of_turned(trained.core, val),
        macs=count_macs(model),
        latency_ms=measure_latency(model),
    )
    return write_report(inputs, folder / REPORT_FILE).sentence


def _record(
    trained: Trained, model: keras.Model, predicted: dict[str, Float64Array], by_baseline: Float64Array
) -> RunRecord:
    dataset, val, fitted = trained.dataset, trained.val, trained.fit
    interval = _interval(trained, predicted)
    return RunRecord(
        recipe=trained.settings.network.recipe.name,
        settings=_settings(trained),
        seed=trained.settings.fit.seed,
        label=dataset.spec.label,
        views=dataset.spec.views,
        rotation_invariant=dataset.spec.rotation_invariant,
        preprocessing=trained.preprocessing,
        covariates=trained.covariates,
        parameters=model.count_params(),
        dataset=DatasetRecord.of(dataset, (*trained.train.samples, *val.samples)),
        splits={sample.id: sample.split or "" for sample in dataset.samples},
        baseline=trained.baseline,
        interval=interval,
        foreign=_foreign(trained, predicted["features"]),
        disagreement_limit=_disagreement(trained, predicted["value"], by_baseline),
        median_half_width=interval.quantile * float(np.median(predicted["sigma"])),
        validation_mae={
            "keras": regression_metrics(val.data.values, predicted["value"]).mae,
            "baseline": regression_metrics(val.data.values, by_baseline).mae,
        },
        folds=() if trained.folds is None else trained.folds.records,
        epochs=len(fitted.history),
        best_epoch=fitted.best_epoch,
        interrupted=fitted.interrupted,
        seconds=round(trained.seconds, 1),
        versions=installed_versions(_LIBRARIES),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _settings(trained: Trained) -> dict[str, str | int | float | bool | None]:
    """Return what was chosen, by the names of the command line's options."""
    chosen, fitting = trained.settings, trained.settings.fit
    network = chosen.network
    return {
        "size": trained.preprocessing.size,
        "colour": "+".join(network.colour),
        "reference": network.reference,
        "aggregate": network.aggregate,
        "head": network.head,
        "loss": network.loss,
        "transform": network.transform,
        "augment": chosen.augment,
        "weights": None if chosen.weights is None else chosen.weights.name,
        "weights_sha256": None if chosen.weights is None else _sha256(chosen.weights),
        "folds": chosen.folds,
        "epochs": fitting.epochs,
        "patience": fitting.patience,
        "batch_size": choose_batch_size(len(trained.train.samples), fitting),
        "learning_rate": fitting.learning_rate,
        "weight_decay": fitting.weight_decay,
        "workers": fitting.team.count,
    }


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _interval(trained: Trained, predicted: dict[str, Float64Array]) -> IntervalCalibration:
    """Calibrate on what was held out: every sample where there are folds, else the validation split."""
    if trained.folds is not None:
        found = trained.folds
        return calibrate_interval(
            found.true, found.value, found.sigma, coverage=COVERAGE, groups=found.new_by
        )
    return calibrate_interval(
        trained.val.data.values,
        predicted["value"],
        predicted["sigma"],
        coverage=COVERAGE,
        groups=new_by(trained.train.samples, trained.val.samples),
    )


def _foreign(trained: Trained, val_features: Float64Array) -> ForeignCalibration:
    new = new_by(trained.train.samples, trained.val.samples)
    whole = new == trained.val.sessions
    return calibrate_foreign(
        predict(trained.core, trained.train.data)["features"],
        val_features,
        train_groups=trained.train.sessions if whole else trained.train.groups,
        val_groups=new,
    )


def _disagreement(trained: Trained, value: Float64Array, by_baseline: Float64Array) -> float:
    limit = disagreement_limit(value, by_baseline)
    if trained.folds is not None:
        limit = max(limit, disagreement_limit(trained.folds.value, trained.folds.baseline))
    return limit


def _run_samples(trained: Trained) -> RunSamples:
    train, val = (
        part.take(spread_over_levels(part.data.values, part.sessions))
        for part in (trained.train, trained.val)
    )
    return RunSamples(
        train_images=train.data.images,
        train_values=train.data.values,
        train_sessions=tuple(train.sessions),
        val_images=val.data.images,
        val_values=val.data.values,
        val_sessions=tuple(val.sessions),
        train_covariates=train.data.covariates,
        val_covariates=val.data.covariates,
    )


def _write_history(fitted: Fit, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(fitted.history[0]))
        writer.writeheader()
        writer.writerows(fitted.history)
