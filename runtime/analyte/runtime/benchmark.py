"""How large, fast, hungry and right each artifact of a bundle is, on this machine.

Each case runs in a process of its own, and the processes take turns: what disturbs the machine for a second
then disturbs all of them, and no one alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import numpy as np

from analyte.contract import errors
from analyte.contract.arrays import Float64Array
from analyte.contract.bundle import Bundle, GoldenSet
from analyte.contract.dataset import Dataset, Sample
from analyte.contract.errors import AnalyteError, DatasetError, UnavailableError
from analyte.contract.metrics import regression_metrics
from analyte.contract.versions import installed_versions
from analyte.runtime.cases import Attempts, Case, Skipped
from analyte.runtime.deviation import compare
from analyte.runtime.engines.protocol import Prediction
from analyte.runtime.photographs import (
    check_dataset_fits,
    measure_photographs,
    spread_samples,
    unseen,
)

ROUNDS = 10
"""Turns that each case gets."""
SECONDS = 2.5
"""How long each case runs in all where the number of runs is not given."""
LEAST_RUNS, MOST_RUNS = 100, 20_000
"""Limits to that: below a hundred there is no 99th percentile to speak of."""
_LIBRARIES = ("numpy", "onnxruntime", "ai-edge-litert", "opencv-python-headless")


@dataclass(frozen=True, slots=True)
class Measured:
    """One artifact on one provider; JSON names equal field names. None where a number is not known."""

    artifact: str
    precision: str
    engine: str
    provider: str
    library: str
    version: str
    """Of the library."""
    threads: int
    batch: int
    """Samples per run."""
    repeats: int
    """Runs that were timed, warm-up not counted."""
    bytes: int
    """Size of the model file."""
    import_ms: float
    """Import of the engine's library, milliseconds."""
    load_ms: float
    """From opening the model file (bytes in memory) to the end of the first run, milliseconds."""
    p50_us: float
    """Median of one run of ``batch`` samples, microseconds: from uint8 pictures to values, with Python."""
    p99_us: float
    """99th percentile of the same."""
    throughput: float
    """Samples per second, over all timed runs."""
    rss_mb: float | None
    """Memory of a process that opened the bundle and ran only this artifact, all of it, 10^6 bytes."""
    rss_before_mb: float | None
    """The same process before it imported the engine's library."""
    mae: float | None
    """Mean absolute error against the labels of the golden set, label's unit."""
    p99_deviation: float | None
    """99th percentile of |artifact - Keras| over the golden set, label's unit."""
    max_deviation: float | None
    tolerance: float
    """What the deviation may be, label's unit."""
    passed: bool
    """Whether it is within; a fast artifact that says something else is of no use."""
    photographs: int | None
    """Samples of a dataset that went through the device's pipeline to the engine; None without a dataset."""
    mae_photographs: float | None
    """Mean absolute error against their labels, refused ones included, label's unit."""
    refused_photographs: int | None
    """Samples of the dataset that the device refuses."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """All cases, and what they were measured on; JSON names equal field names."""

    bundle: str
    """sha256 of the manifest."""
    unit: str
    mae_keras: float
    """Mean absolute error of Keras against the labels of the golden set."""
    n: int
    """Pictures of the golden set."""
    date: str
    """UTC, ISO 8601."""
    machine: dict[str, str | int]
    versions: dict[str, str]
    rounds: int
    results: tuple[Measured, ...]
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True, slots=True)
class Settings:
    """How to measure."""

    threads: int = 1
    """Of one run, 1 to 256."""
    batch: int = 1
    """Samples per run, 1 to 1024: all of them lie in memory at once."""
    repeats: int | None = None
    """Timed runs of each case; None for as many as fit into `SECONDS`."""
    strict: bool = False
    """Whether a case that is not available is an error rather than left out."""
    dataset: Dataset | None = None
    """Photographs to measure errors on as well; None for none."""
    photographs: int = 256
    """Samples of the dataset that are measured, at most, spread over the levels."""


def run_benchmark(
    bundle: Bundle,
    chosen: Sequence[Case],
    settings: Settings,
    on_progress: Callable[[float], object] = lambda share: None,
) -> Benchmark:
    """Measure cases in turns. ``on_progress`` gets the share that was just done; shares sum to 1.

    Raises: IntegrityError for altered files; UnavailableError when nothing could be run, or what was asked
    for by name could not; DatasetError for photographs that do not fit, or none that can be measured.
    """
    bundle.verify()
    golden = bundle.golden_set()
    samples: list[Sample] = []
    if settings.dataset is not None:
        check_dataset_fits(bundle, settings.dataset)
        samples = spread_samples(unseen(bundle, settings.dataset), settings.photographs)
    attempts = Attempts(strict=settings.strict)
    workers: list[_Worker] = []
    with contextlib.ExitStack() as stack:
        for case in chosen:
            worker = attempts.attempt(case, lambda case: _start(stack, bundle, case, settings))
            if worker is not None:
                workers.append(worker)
            on_progress(0.3 / len(chosen))
        if not workers:
            raise UnavailableError(
                "no artifact of the bundle can be run here",
                where=bundle.path,
                got="; ".join(f"{s.artifact} on {s.provider}: {s.reason}" for s in attempts.skipped),
            )
        for turn in _turns(workers):
            turn.measure_round(settings.repeats)
            on_progress(0.7 / (ROUNDS * len(workers)))
        results = tuple(worker.result(golden, settings) for worker in workers)
    if settings.dataset is not None:
        # Only now: the other processes are gone, and errors do not depend on what disturbs the machine.
        pairs = zip((worker.case for worker in workers), results, strict=True)
        results = tuple(_on_photographs(bundle, case, row, settings.dataset, samples) for case, row in pairs)
    return Benchmark(
        bundle=bundle.id,
        unit=bundle.manifest.label.unit,
        mae_keras=regression_metrics(golden.true, golden.value).mae,
        n=len(golden.true),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=describe_machine(),
        versions=installed_versions(_LIBRARIES),
        rounds=ROUNDS,
        results=results,
        skipped=tuple(attempts.skipped),
    )


def _turns(workers: Sequence[_Worker]) -> Iterator[_Worker]:
    """Yield every worker in every round, each round in another order: none always follows the same one."""
    rng = np.random.default_rng(0)
    for _ in range(ROUNDS):
        for index in rng.permutation(len(workers)):
            yield workers[index]


class _Worker:
    """The process of one case, see `analyte.runtime.benchmark_worker`."""

    def __init__(self, bundle: Bundle, case: Case, settings: Settings, log: IO[bytes]) -> None:
        self.case = case
        self._log = log
        self._elapsed_ns: list[int] = []
        arguments = (case.artifact.name, case.provider, str(settings.threads), str(settings.batch))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "analyte.runtime.benchmark_worker", str(bundle.path), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            encoding="utf-8",
        )

    def wait_until_open(self) -> None:
        """Wait for what the opening took and for the values. Raises: what the other process raised."""
        self._opened = self._hear()
        said = self._hear()
        value, sigma = (np.asarray(said[name], np.float32) for name in ("value", "sigma"))
        self._said = Prediction(value, sigma, np.zeros((len(value), 0), np.float32))

    def measure_round(self, repeats: int | None) -> None:
        """Time a share of the runs."""
        if repeats is None:
            repeats = int(np.clip(SECONDS / self._opened["run_s"], LEAST_RUNS, MOST_RUNS))
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # the answer that does not come tells more
            self._process.stdin.write(f"{-(-repeats // ROUNDS)}\n")
            self._process.stdin.flush()
        self._elapsed_ns += self._hear()["ns"]

    def result(self, golden: GoldenSet, settings: Settings) -> Measured:
        """Return all that was measured."""
        artifact, found = self.case.artifact, self._opened
        elapsed_us: Float64Array = np.asarray(self._elapsed_ns, np.float64) / 1e3
        deviation = compare(self._said, golden.value, settings.batch, sigma=golden.sigma)
        tolerance = artifact.parity.tolerance
        return Measured(
            artifact=artifact.name,
            precision=artifact.precision,
            engine=artifact.engine,
            provider=found["provider"],
            library=found["library"],
            version=found["version"],
            threads=found["threads"],
            batch=settings.batch,
            repeats=len(elapsed_us),
            bytes=artifact.size_bytes,
            import_ms=found["import_ms"],
            load_ms=found["load_ms"],
            p50_us=float(np.percentile(elapsed_us, 50)),
            p99_us=float(np.percentile(elapsed_us, 99)),
            throughput=1e6 * settings.batch * len(elapsed_us) / float(elapsed_us.sum()),
            rss_mb=found["rss_mb"],
            rss_before_mb=found["rss_before_mb"],
            mae=_finite(regression_metrics(golden.true, self._said.value).mae),
            p99_deviation=_finite(deviation.p99),
            max_deviation=_finite(deviation.max),
            tolerance=tolerance,
            passed=deviation.passes(artifact.precision, tolerance),
            photographs=None,
            mae_photographs=None,
            refused_photographs=None,
        )

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise self._crashed()
        found: dict[str, Any] = json.loads(line)
        if "error" in found:
            kind: type[AnalyteError] = getattr(errors, found["error"])
            words = found["words"]
            raise kind(words.pop("what"), **words)
        return found

    def _crashed(self) -> UnavailableError:
        code = self._process.wait()
        self._log.seek(0)
        last = self._log.read().decode("utf-8", "replace").strip().splitlines()[-1:]
        return UnavailableError(
            "the process that ran it ended early",
            where=self.case.name,
            got=f"exit code {code} {' '.join(last)}",
        )


def _start(stack: contextlib.ExitStack, bundle: Bundle, case: Case, settings: Settings) -> _Worker:
    """Start a case and wait until it is warm, so that no other loads at the same time."""
    with contextlib.ExitStack() as until_open:
        log = until_open.enter_context(tempfile.TemporaryFile())
        worker = _Worker(bundle, case, settings, log)
        until_open.callback(worker.close)
        worker.wait_until_open()
        stack.push(until_open.pop_all())
    return worker


def _on_photographs(
    bundle: Bundle, case: Case, row: Measured, dataset: Dataset, samples: Sequence[Sample]
) -> Measured:
    """Add the errors of the device's whole pipeline to a row. Raises: DatasetError when it refuses all."""
    engine = case.open(bundle, row.threads)
    try:
        found = measure_photographs(bundle, case.artifact, engine, dataset, samples)
    finally:
        engine.close()
    errors_of = [
        abs(one.value - sample.value)
        for one, sample in zip(found, samples, strict=True)
        if one.value is not None
    ]
    if not errors_of:
        raise DatasetError(
            "no photograph of the dataset can be measured", where=dataset.root, got=found[0].reading.detail
        )
    return replace(
        row,
        photographs=len(errors_of),
        mae_photographs=_finite(float(np.mean(errors_of))),
        refused_photographs=sum(one.reading.refused for one in found),
    )


def describe_machine() -> dict[str, str | int]:
    """Return processor, cores and system."""
    # What the process may use, which a container or taskset makes fewer.
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {
        "cpu": _processor(),
        "cores": os.cpu_count() or 1,
        "usable_cores": usable,
        "platform": platform.platform(),
    }


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() in ("model name", "Model"):
                return value.strip()
    return platform.processor() or platform.machine()


def _finite(number: float) -> float | None:
    return number if np.isfinite(number) else None
