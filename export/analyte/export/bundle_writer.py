"""From a run folder to a bundle whose every artifact has passed the gate."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from analyte.contract.bundle import record_file, write_manifest
from analyte.contract.errors import InputError, ParityError
from analyte.contract.figures_of_merit import calibration_line, detection_limits
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
from analyte.export.about import about, operator_counts, with_about
from analyte.export.card import card_text
from analyte.export.formats import Format
from analyte.export.gate import Judged, Verdict, judge
from analyte.export.ladder import QUANTIZED, Ladder, Rung
from analyte.export.sensitivity import LayerLoss, layer_losses
from analyte.export.source import Source, stratified
from analyte.export.trained_model import load_model, predict
from analyte.export.unsupported import UnsupportedError
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
    problems: tuple[str, ...]
    """What it misses on the validation split or the golden set, in words; empty when it passes."""
    rung: Rung | None
    """The last of the means that its quantization took; None for floats."""
    kept_float: tuple[str, ...]
    """Layers that were left in float, on request or by the last of the means."""
    seconds: float
    """What converting and comparing took."""


@dataclass(frozen=True, slots=True)
class _Judges:
    """What artifacts are compared with Keras on."""

    validation: Judged
    golden: Judged
    span: float


def write_bundle(
    run: Path,
    folder: Path,
    name: str,
    formats: Sequence[Format],
    *,
    keep_float: Collection[str] = (),
    allow_degraded: bool = False,
    on_done: Callable[[ExportedArtifact], object] = lambda artifact: None,
) -> Manifest:
    """Convert a run into ``folder``, which exists and is empty. ``on_done`` is told about each artifact.

    ``keep_float``: Keras layers that integer formats leave in float. ``allow_degraded``: write artifacts that
    miss the gate, with what they miss.
    Raises: InputError, IntegrityError for a bad run, or a layer that it has not or that a format cannot hold;
    ParityError naming every artifact that misses the gate.
    """
    record, samples = load_record(run), load_samples(run)
    model = load_model(run / RUN_MODEL_FILE)
    source = _source(model, samples, keep_float, run)
    golden = _write_golden(model, samples, folder / GOLDEN_FILE)
    judges = _Judges(_validation(model, samples, record), golden, record.label.span)
    ladder = Ladder(source)
    artifacts: list[Artifact] = []
    problems: list[str] = []
    missed: list[Format] = []
    unsupported: list[tuple[Format, UnsupportedError]] = []
    for entry in formats:
        finish = partial(_marked, entry=entry, name=name, record=record)
        try:
            data, outcome = _export(entry, ladder, judges, finish)
        except UnsupportedError as error:
            unsupported.append((entry, error))
            continue
        file = folder / f"{_ARTIFACT_STEM}{entry.suffix}"
        file.write_bytes(data)
        artifacts.append(_describe(file, data, outcome))
        problems += [f"{entry.name}: {problem}" for problem in outcome.problems]
        missed += [entry] if outcome.problems else []
        on_done(outcome)
    if unsupported:
        raise _unsupported(formats, missed, unsupported, name)
    if problems and not allow_degraded:
        raise ParityError(
            f"{'; '.join(problems)} {record.label.unit}", where=name, fix=_advice(formats, missed)
        )
    shutil.copyfile(run / RUN_MODEL_FILE, folder / MODEL_FILE)
    report = folder / REPORT_FILE if (run / RUN_REPORT_FILE).is_file() else None
    if report is not None:
        shutil.copyfile(run / RUN_REPORT_FILE, report)
    (folder / CARD_FILE).write_text(card_text(name, record, artifacts, report), "utf-8")
    limits = _detection_limits(judges.validation)
    manifest = _manifest(name, record, samples, artifacts, folder, report, limits)
    write_manifest(manifest, folder)
    return manifest


def _advice(formats: Sequence[Format], missed: Sequence[Format]) -> str:
    """Say what to do about formats that miss the gate."""
    said = ["No bundle was written"]
    if any(entry.precision == "int8-strict" for entry in missed):
        said.append("For integers in and out, train with --colour rgb")
    if any(entry.precision in ("int8", "int16x8") for entry in missed):
        said.append("Leave the layer that loses most in float with --keep-float LAYER, or train longer")
    passing = [entry.name for entry in formats if entry not in missed]
    if passing:
        said.append("What passes: " + " ".join(f"--format {name}" for name in passing))
    return ". ".join(said)


def _unsupported(
    formats: Sequence[Format],
    missed: Sequence[Format],
    unsupported: Sequence[tuple[Format, UnsupportedError]],
    name: str,
) -> InputError:
    """Say which formats cannot hold the model, for which of its layers, and which ones can."""
    by_reason: dict[str, list[str]] = {}
    for entry, error in unsupported:
        by_reason.setdefault(error.line(), []).append(entry.name)
    said = [f"{', '.join(names)}: {reason}" for reason, names in by_reason.items()]
    others = [entry for entry in formats if entry not in [bad for bad, _ in unsupported]]
    return InputError("; ".join(said), where=name, fix=_advice(others, missed))


def losses_of(run: Path) -> list[LayerLoss]:
    """Return what int8 costs in each layer of a run. Raises: InputError, IntegrityError for a bad run."""
    record, samples = load_record(run), load_samples(run)
    model = load_model(run / RUN_MODEL_FILE)
    return layer_losses(_source(model, samples, (), run), _validation(model, samples, record))


def _source(model: keras.Model, samples: RunSamples, keep_float: Collection[str], run: Path) -> Source:
    names = [
        layer.name
        for layer in model.layers
        if isinstance(layer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D)
    ]
    unknown = [layer for layer in keep_float if layer not in names]
    if unknown:
        raise InputError(
            f"--keep-float {unknown[0]}: the network has no such convolution",
            where=run,
            expected=", ".join(names),
        )
    order = stratified(samples.train_values, samples.train_sessions)
    covariates = samples.train_covariates[order] if samples.train_covariates.shape[1] else None
    return Source(model, samples.train_images[order], covariates, frozenset(keep_float))


def _validation(model: keras.Model, samples: RunSamples, record: RunRecord) -> Judged:
    said = predict(model, samples.val_images, samples.val_covariates)
    return Judged(samples.val_images, samples.val_values, said, record.foreign, samples.val_covariates)


def _export(
    entry: Format, ladder: Ladder, judges: _Judges, finish: Callable[[bytes], bytes]
) -> tuple[bytes, ExportedArtifact]:
    """Convert one format, by ever dearer means until it passes; return the best of what was tried."""
    started = time.monotonic()
    tried: list[tuple[bytes, ExportedArtifact]] = []
    for rung, source in ladder.climb(floats=entry.precision != "int8-strict"):
        data = finish(entry.convert(source))
        verdict, problems = _judge(entry, data, judges)
        seconds = time.monotonic() - started
        reached = rung if entry.precision in QUANTIZED else None
        kept = () if entry.precision.startswith("float") else tuple(sorted(source.keep_float))
        tried.append((data, ExportedArtifact(entry, verdict, len(data), problems, reached, kept, seconds)))
        if not problems or reached is None:
            break
    passing = [pair for pair in tried if not pair[1].problems]
    # A NaN compares with nothing: it must not be taken for the best.
    return (
        passing[0]
        if passing
        else min(tried, key=lambda pair: np.nan_to_num(pair[1].verdict.deviation.p99, nan=np.inf))
    )


def _judge(entry: Format, data: bytes, judges: _Judges) -> tuple[Verdict, tuple[str, ...]]:
    engine = open_engine(data, entry.engine, where=entry.name)
    try:
        verdict = judge(engine, entry.precision, judges.validation, judges.span)
        # What devices will test themselves against must pass here, at the batch sizes that they use.
        on_golden = [
            judge(engine, entry.precision, judges.golden, judges.span, batch) for batch in GOLDEN_BATCHES
        ]
    finally:
        engine.close()
    missed = [problem for other in on_golden for problem in other.deviation_problems]
    return verdict, (
        *verdict.problems,
        *(f"on the golden set: {problem}" for problem in dict.fromkeys(missed)),
    )


def _marked(data: bytes, entry: Format, name: str, record: RunRecord) -> bytes:
    return with_about(data, entry.engine, about(name, entry.name, record))


def _describe(file: Path, data: bytes, outcome: ExportedArtifact) -> Artifact:
    entry = outcome.format
    return Artifact(
        **record_file(file).model_dump(),
        name=entry.name,
        precision=entry.precision,
        engine=entry.engine,
        parity=outcome.verdict.deviation,
        operators=operator_counts(data, entry.engine),
        quantized_by=outcome.rung,
        kept_float=outcome.kept_float,
        degraded=outcome.problems,
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


def _detection_limits(validation: Judged) -> tuple[float | None, float | None]:
    """Return LOD and LOQ after ICH Q2(R2) on the validation split, label's unit; None where it gives none."""
    said = validation.keras.value.astype(np.float64)
    slope, _, _, residual_sd = calibration_line(validation.true, said)
    lod, loq = detection_limits(validation.true, slope, residual_sd)
    return lod.value, loq.value


def _manifest(
    name: str,
    record: RunRecord,
    samples: RunSamples,
    artifacts: Sequence[Artifact],
    folder: Path,
    report: Path | None,
    limits: tuple[float | None, float | None],
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
        lod=limits[0],
        loq=limits[1],
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
