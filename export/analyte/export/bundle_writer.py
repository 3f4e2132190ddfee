"""From a run folder to a bundle whose every artifact has passed the gate."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keras
import numpy as np

from analyte.contract.bundle import record_file, write_manifest
from analyte.contract.errors import ParityError
from analyte.contract.manifest import (
    CARD_FILE,
    GOLDEN_FILE,
    MODEL_FILE,
    REPORT_FILE,
    Artifact,
    Manifest,
    Provenance,
)
from analyte.contract.preprocessing import is_grey
from analyte.contract.run import MODEL_FILE as RUN_MODEL_FILE
from analyte.contract.run import REPORT_FILE as RUN_REPORT_FILE
from analyte.contract.run import RunRecord, RunSamples, load_record, load_samples
from analyte.contract.versions import installed_versions
from analyte.export.card import card_text
from analyte.export.formats import Format, Source
from analyte.export.gate import Judged, Verdict, judge
from analyte.export.trained_model import load_model, predict
from analyte.runtime.engines.registry import open_engine

GOLDEN_SIZE = 64
GOLDEN_BATCHES = (1, GOLDEN_SIZE)
_ARTIFACT_STEM = "model"
_LIBRARIES = ("tensorflow", "keras", "onnx", "tf2onnx", "onnxruntime", "ai-edge-litert", "numpy")


@dataclass(frozen=True, slots=True)
class ExportedArtifact:
    """One format's outcome."""

    format: Format
    verdict: Verdict
    size_bytes: int


def write_bundle(
    run: Path,
    folder: Path,
    name: str,
    formats: Sequence[Format],
    *,
    on_done: Callable[[ExportedArtifact], object] = lambda artifact: None,
) -> Manifest:
    """Convert a run into ``folder``, which exists and is empty. ``on_done`` is told about each artifact.

    Raises: InputError, IntegrityError for a bad run; ParityError naming every artifact that misses the gate.
    """
    record, samples = load_record(run), load_samples(run)
    model = load_model(run / RUN_MODEL_FILE)
    source = Source(model, samples.train_images, samples.train_covariates)
    judged = Judged(
        samples.val_images,
        samples.val_values,
        predict(model, samples.val_images, samples.val_covariates),
        record.foreign,
        samples.val_covariates,
    )
    artifacts: list[Artifact] = []
    problems: list[str] = []
    golden = _write_golden(model, samples, folder / GOLDEN_FILE)
    for entry in formats:
        file = folder / f"{_ARTIFACT_STEM}{entry.suffix}"
        file.write_bytes(entry.convert(source))
        engine = open_engine(file, entry.engine)
        try:
            verdict = judge(engine, entry.precision, judged, record.label.span)
            # What devices will test themselves against must pass here, at the batch sizes that they use.
            on_golden = [
                judge(engine, entry.precision, golden, record.label.span, batch) for batch in GOLDEN_BATCHES
            ]
        finally:
            engine.close()
        artifacts.append(_describe(entry, file, verdict))
        problems += [f"{entry.name}: {problem}" for problem in verdict.problems]
        problems += [
            f"{entry.name} on the golden set: {problem}"
            for other in on_golden
            for problem in other.deviation_problems
        ]
        on_done(ExportedArtifact(entry, verdict, file.stat().st_size))
    if problems:
        raise ParityError(
            f"{'; '.join(problems)} {record.label.unit}",
            where=run,
            fix="No bundle was written. Train longer or leave the format out",
        )
    shutil.copyfile(run / RUN_MODEL_FILE, folder / MODEL_FILE)
    report = folder / REPORT_FILE if (run / RUN_REPORT_FILE).is_file() else None
    if report is not None:
        shutil.copyfile(run / RUN_REPORT_FILE, report)
    (folder / CARD_FILE).write_text(card_text(name, record, artifacts, report), "utf-8")
    manifest = _manifest(name, record, samples, artifacts, folder, report)
    write_manifest(manifest, folder)
    return manifest


def _describe(entry: Format, file: Path, verdict: Verdict) -> Artifact:
    return Artifact(
        **record_file(file).model_dump(),
        name=entry.name,
        precision=entry.precision,
        engine=entry.engine,
        parity=verdict.deviation,
    )


def _write_golden(model: keras.Model, samples: RunSamples, path: Path) -> Judged:
    """Choose validation pictures spread evenly over the values, store and return what Keras says."""
    order = np.argsort(samples.val_values, kind="stable")
    chosen = order[np.unique(np.linspace(0, len(order) - 1, GOLDEN_SIZE).round().astype(int))]
    images, covariates = samples.val_images[chosen], samples.val_covariates[chosen]
    prediction = predict(model, images, covariates)
    arrays: dict[str, Any] = {
        "images": images,
        "value": prediction.value,
        "sigma": prediction.sigma,
        "features": prediction.features,
        "true": samples.val_values[chosen],
    }
    if covariates.shape[1]:
        arrays["covariates"] = covariates
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)
    return Judged(images, samples.val_values[chosen], prediction, covariates=covariates)


def _manifest(
    name: str,
    record: RunRecord,
    samples: RunSamples,
    artifacts: Sequence[Artifact],
    folder: Path,
    report: Path | None,
) -> Manifest:
    return Manifest(
        name=name,
        label=record.label,
        views=record.views,
        covariates=record.covariates,
        rotation_invariant=record.rotation_invariant,
        colour=not is_grey(samples.train_images),
        preprocessing=record.preprocessing,
        preprocessing_sha256=record.preprocessing.digest(),
        interval=record.interval,
        baseline=record.baseline,
        disagreement_limit=record.disagreement_limit,
        foreign=record.foreign,
        artifacts=tuple(artifacts),
        golden=record_file(folder / GOLDEN_FILE),
        model=record_file(folder / MODEL_FILE),
        card=record_file(folder / CARD_FILE),
        report=None if report is None else record_file(report),
        provenance=Provenance(
            recipe=record.recipe,
            seed=record.seed,
            parameters=record.parameters,
            dataset=record.dataset,
            versions={**record.versions, **installed_versions(_LIBRARIES)},
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        ),
    )
