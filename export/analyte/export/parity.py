"""Parity of a finished bundle: Keras run again, against every artifact in every way that it runs here."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from analyte.contract.arrays import Float32Array, Float64Array
from analyte.contract.bundle import Bundle, GoldenSet
from analyte.contract.dataset import Dataset
from analyte.contract.errors import UnavailableError
from analyte.export.gate import TOLERANCE_OF_RANGE
from analyte.export.onnx_reference import IMAGES, ReferenceOnnx
from analyte.export.parity_photographs import (
    PHOTOGRAPHS,
    PhotographParity,
    PhotographResult,
    compare_on_photographs,
    keras_on_photographs,
)
from analyte.export.trained_model import load_fitting_model, load_model, predict
from analyte.runtime.cases import REFERENCE, Attempts, Case, Skipped, Wanted, cases
from analyte.runtime.deviation import compare, run_batched
from analyte.runtime.engines.protocol import Engine, Prediction
from analyte.runtime.pipeline import check_engine_fits
from analyte.runtime.selftest import SelfTestResult, describe

BATCHES = (1, 7, 64)
"""A second batch size finds graphs that baked the first one in; 7 divides nothing; 64, or the whole golden
set where that is smaller, finds what goes wrong in large ones."""
REFERENCE_BATCHES = (7,)
REFERENCE_IMAGES = 16
"""Of LiteRT's reference kernels, which take ten times as long: their values are the question."""
WORST = 5
"""Images that are named of a case that fails."""


@dataclass(frozen=True, slots=True)
class WorstImage:
    """A golden image of a failing case; JSON names equal field names, values in the label's unit."""

    artifact: str
    engine: str
    provider: str
    threads: int
    batch: int
    index: int
    """Position in the golden set, from 0."""
    true: float
    keras: float
    value: float | None
    """What the artifact says; None where that is not finite."""


@dataclass(frozen=True, slots=True)
class CaseDeviations:
    """|artifact - Keras| of every golden image in one case, ``[N]``, label's unit.

    Infinite where the artifact's value is not finite, NaN where the image was not run.
    """

    name: str
    tolerance: float
    deviation: Float64Array


@dataclass(frozen=True, slots=True)
class Parity:
    """All comparisons, and whether the golden set still is what Keras says."""

    golden_deviation: float
    """Largest difference between the stored golden values and Keras run now, label's unit."""
    golden_passed: bool
    """Whether that is within the float32 tolerance: devices are tested against the golden set."""
    results: tuple[SelfTestResult, ...]
    """Every case at every number of threads and batch size, on the golden set."""
    photographs: PhotographParity | None
    """The same from the photograph on; None where none were given."""
    skipped: tuple[Skipped, ...]
    """What is not there."""
    broken: tuple[Skipped, ...]
    """What is there and cannot be run at some number of threads and batch size; its rows fail."""
    worst: tuple[WorstImage, ...]
    """Of each case that fails, at its worst number of threads and batch size."""
    by_image: tuple[CaseDeviations, ...]
    """Of each case, the largest over threads and batch sizes: what the heat map is drawn from."""

    @property
    def passed(self) -> bool:
        """Whether Keras still says what the golden set says, and every artifact what Keras says."""
        rows = [*self.results, *(self.photographs.results if self.photographs else ())]
        return self.golden_passed and all(row.passed for row in rows)

    @property
    def failed(self) -> list[str]:
        """What fails: artifacts by name, then the golden set."""
        rows = [*self.results, *(self.photographs.results if self.photographs else ())]
        names = sorted({row.artifact for row in rows if not row.passed})
        return names + ([] if self.golden_passed else ["the golden set"])


@dataclass(frozen=True, slots=True)
class ParitySettings:
    """What is compared."""

    model_file: Path | None = None
    """The Keras model to compare with; the bundle's own when None."""
    wanted: Wanted = field(default_factory=Wanted)
    """Artifacts, engines and providers; a provider that is named has to be there."""
    dataset: Dataset | None = None
    """Photographs to compare from the file on; None for none."""
    photographs: int = PHOTOGRAPHS
    """Samples of the dataset, at most."""


def check_parity(
    bundle: Bundle,
    settings: ParitySettings | None = None,
    on_progress: Callable[[str], object] = lambda name: None,
) -> Parity:
    """Compare every artifact with Keras on the golden set, and on photographs where a dataset is given.

    ``on_progress`` is called with the name of each case when it is done.
    Raises: IntegrityError for altered files; UnavailableError when an artifact cannot be run here at all, or
    a provider that was named is not there; DatasetError for photographs that do not fit.
    """
    settings = settings or ParitySettings()
    bundle.verify()
    golden = bundle.golden_set()
    model = _keras_model(bundle, settings.model_file)
    said = predict(model, golden.images, golden.covariates)
    chosen = cases(bundle, settings.wanted, reference=True)
    attempts = Attempts(strict=bool(settings.wanted.providers))
    comparison = _Comparison(bundle, golden, said)
    for case in chosen:
        attempts.attempt(case, comparison.run)
        on_progress(case.name)
    reference = Attempts(strict=False)
    if not settings.wanted.providers or REFERENCE in settings.wanted.providers:
        by_name = {case.artifact.name: case.artifact for case in chosen}
        for artifact in by_name.values():
            if artifact.engine == "onnx":
                reference.attempt(Case(artifact, REFERENCE), comparison.run_onnx_reference)
    _check_every_artifact_ran(bundle, chosen, comparison, attempts)
    photographs = None
    if settings.dataset is not None:
        ran = [case for case in chosen if case in comparison.ran and case.provider != REFERENCE]
        photographed = keras_on_photographs(bundle, model, settings.dataset, settings.photographs)
        rows: list[PhotographResult] = []
        for case in ran:
            rows.append(compare_on_photographs(bundle, case, photographed))
            on_progress(case.name)
        photographs = PhotographParity(settings.dataset.spec.name, len(photographed.samples), tuple(rows))
    drift = float(np.max(np.abs(said.value - golden.value)))
    tolerance = TOLERANCE_OF_RANGE["float32"] * bundle.manifest.label.span
    return Parity(
        drift,
        drift <= tolerance,
        tuple(comparison.results),
        photographs,
        (*attempts.skipped, *reference.skipped),
        tuple(comparison.broken),
        tuple(comparison.worst),
        tuple(comparison.by_image),
    )


def thread_counts() -> list[int]:
    """Return the numbers of threads to try: 1, 2, and every core that this process may use."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return sorted({1, 2, min(usable, 256)})


class _Comparison:
    """Runs cases on the golden set and collects what comes out."""

    def __init__(self, bundle: Bundle, golden: GoldenSet, said: Prediction) -> None:
        self._bundle = bundle
        self._golden = golden
        self._said = said
        self.ran: list[Case] = []
        self.results: list[SelfTestResult] = []
        self.worst: list[WorstImage] = []
        self.by_image: list[CaseDeviations] = []
        self.broken: list[Skipped] = []

    def run(self, case: Case) -> None:
        """Compare a case at every number of threads and batch size. Raises: UnavailableError."""
        n = len(self._golden.images)
        slow = case.provider == REFERENCE
        index = _spread(n, REFERENCE_IMAGES if slow else n)
        batches = sorted({min(batch, n) for batch in (REFERENCE_BATCHES if slow else BATCHES)})
        rows: list[tuple[SelfTestResult, Float32Array]] = []
        for threads in [1] if slow else thread_counts():
            engine = case.open(self._bundle, threads)
            try:
                check_engine_fits(self._bundle, case.artifact, engine)
                rows += [self._compare(case, engine, batch, index) for batch in batches]
            finally:
                engine.close()
        self._note(case, rows, index)

    def run_onnx_reference(self, case: Case) -> None:
        """Compare a few images by ONNX's own evaluator. Raises: UnavailableError."""
        index = _spread(len(self._golden.images), IMAGES)
        where = self._bundle.path / case.artifact.file
        engine = ReferenceOnnx(self._bundle.read(case.artifact), where=where)
        # What it cannot run shows only now, and says nothing of the artifact.
        engine.run(self._golden.images[:1], self._golden.covariates[:1])
        self._note(case, [self._compare(case, engine, len(index), index)], index)

    def _compare(
        self, case: Case, engine: Engine, batch: int, index: np.ndarray
    ) -> tuple[SelfTestResult, Float32Array]:
        golden, said = self._golden, self._said
        try:
            found = run_batched(engine, golden.images[index], batch, golden.covariates[index])
        except UnavailableError as error:
            # It opened, so it is there: a batch that it cannot run is a miss and not an absence.
            info = engine.info
            place = f"{info.threads} threads, batch {batch}"
            reason, summary = f"{place}: {error.line()}", f"{place}: {error.what}"
            self.broken.append(Skipped(case.artifact.name, info.engine, info.provider, reason, summary))
            nothing = np.full(len(index), np.nan, np.float32)
            found = Prediction(nothing, nothing, nothing[:, np.newaxis])
        measured = compare(found, said.value[index], batch, sigma=said.sigma[index])
        return describe(case.artifact, engine, measured), found.value

    def _note(
        self, case: Case, rows: Sequence[tuple[SelfTestResult, Float32Array]], index: np.ndarray
    ) -> None:
        self.ran.append(case)
        self.results += [row for row, _ in rows]
        values = np.stack([value for _, value in rows]).astype(np.float64)
        deviation = np.full(len(self._golden.images), np.nan)
        found = np.abs(values - self._said.value[index]).max(axis=0)
        # What is not finite is as far off as can be, and must not pass for an image that was not run.
        deviation[index] = np.nan_to_num(found, nan=np.inf, posinf=np.inf)
        self.by_image.append(CaseDeviations(case.name, case.artifact.parity.tolerance, deviation))
        failed = [(row, value) for row, value in rows if not row.passed]
        if failed:
            row, value = max(failed, key=lambda pair: _severity(pair[0]))
            self.worst += self._worst(row, value, index)

    def _worst(self, row: SelfTestResult, value: Float32Array, index: np.ndarray) -> list[WorstImage]:
        off = np.abs(value.astype(np.float64) - self._said.value[index])
        order = np.argsort(-np.nan_to_num(off, nan=np.inf), kind="stable")[:WORST]
        return [
            WorstImage(
                row.artifact,
                row.engine,
                row.provider,
                row.threads,
                row.batch,
                int(index[i]),
                float(self._golden.true[index[i]]),
                float(self._said.value[index[i]]),
                float(value[i]) if np.isfinite(value[i]) else None,
            )
            for i in order
        ]


def _spread(n: int, count: int) -> npt.NDArray[np.intp]:
    """Return at most ``count`` of the positions 0 to n - 1, evenly."""
    return np.unique(np.linspace(0, n - 1, min(n, count)).round().astype(np.intp))


def _severity(row: SelfTestResult) -> float:
    return np.inf if row.max_deviation is None else row.max_deviation


def _check_every_artifact_ran(
    bundle: Bundle, chosen: Sequence[Case], comparison: _Comparison, attempts: Attempts
) -> None:
    """Refuse to pass what was not compared. Raises: UnavailableError."""
    ran = {case.artifact.name for case in comparison.ran if case.provider != REFERENCE}
    ran |= {case.artifact.name for case in chosen} if all(c.provider == REFERENCE for c in chosen) else set()
    missing = [case.artifact.name for case in chosen if case.artifact.name not in ran]
    if missing:
        reasons = [left.reason for left in attempts.skipped if left.artifact == missing[0]]
        raise UnavailableError(
            f"artifact {missing[0]!r} cannot be run here, so nothing is proved of it",
            where=bundle.path,
            got=reasons[0] if reasons else None,
            fix="Install its engine, or name the artifacts to compare: --artifact",
        )


def _keras_model(bundle: Bundle, model_file: Path | None) -> keras.Model:
    if model_file is not None:
        return load_fitting_model(bundle.manifest, model_file)
    with bundle.on_disk(bundle.manifest.model) as path:
        return load_model(path)


def to_json(parity: Parity) -> dict[str, object]:
    """Return what ``--json`` prints."""
    photographs = parity.photographs
    return {
        "passed": parity.passed,
        "golden_deviation": parity.golden_deviation,
        "results": [dataclasses.asdict(row) for row in parity.results],
        "photographs": None if photographs is None else dataclasses.asdict(photographs),
        "worst": [dataclasses.asdict(image) for image in parity.worst],
        "skipped": [dataclasses.asdict(left) for left in parity.skipped],
        "broken": [dataclasses.asdict(row) for row in parity.broken],
    }
