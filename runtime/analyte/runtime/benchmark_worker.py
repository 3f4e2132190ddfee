"""One case of a benchmark in a process of its own: ``python -m analyte.runtime.benchmark_worker``.

So its memory and its start are those of one artifact alone. It says on stdout what it found, a line of JSON
at a time, and answers each line of stdin; it ends with stdin.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import IO, Any

import numpy as np

from analyte.contract.bundle import Bundle, open_bundle
from analyte.contract.errors import AnalyteError
from analyte.runtime.deviation import run_batched
from analyte.runtime.engines.protocol import Engine
from analyte.runtime.engines.registry import ENGINES, open_engine

WARM_UP_RUNS = 10
"""After the first run; lazy allocation and caches settle within a few."""
WARM_RUNS_OF_A_ROUND = 3
"""Before each round: the other cases ran in between, and this one's data left the caches."""


def main(bundle_path: str, artifact: str, provider: str, threads: str, batch: str) -> None:
    """Open one artifact, then measure whatever the other end asks for."""
    # Native libraries write to stdout as they please: the answers have a descriptor of their own.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        bundle = open_bundle(Path(bundle_path))
        engine, opened = _open(bundle, artifact, provider, int(threads), int(batch))
        _say(answers, opened)
        _serve(bundle, engine, int(batch), answers)
    except AnalyteError as error:
        words = {name: getattr(error, name) for name in ("what", "where", "expected", "got", "fix")}
        _say(answers, {"error": type(error).__name__, "words": words})


def _open(
    bundle: Bundle, name: str, provider: str, threads: int, batch: int
) -> tuple[Engine, dict[str, Any]]:
    """Open an artifact and run it on black pictures, and say what that took."""
    artifact = bundle.artifact(name)
    model = bundle.read(artifact)
    manifest = bundle.manifest
    size = manifest.preprocessing.size
    images = np.zeros((batch, len(manifest.views), size, size, 3), np.uint8)
    covariates = np.zeros((batch, len(manifest.covariates.names)), np.float32)
    before_mb = resident_mb()
    start = time.perf_counter()
    _import_library(ENGINES[artifact.engine].libraries)
    imported = time.perf_counter()
    engine = open_engine(model, artifact.engine, provider, threads, where=bundle.path / artifact.file)
    engine.run(images, covariates)
    loaded = time.perf_counter()
    for _ in range(WARM_UP_RUNS):
        engine.run(images, covariates)
    info = engine.info
    return engine, {
        "library": info.library,
        "version": info.version,
        "provider": info.provider,
        "threads": info.threads,
        "import_ms": 1e3 * (imported - start),
        "load_ms": 1e3 * (loaded - imported),
        "run_s": (time.perf_counter() - loaded) / WARM_UP_RUNS,
        "rss_before_mb": before_mb,
        "rss_mb": resident_mb(),
    }


def _import_library(libraries: tuple[str, ...]) -> None:
    """Import what the engine is made of, so that its time does not count as that of the artifact."""
    for library in libraries:
        for module in (library, f"{library}.interpreter"):
            # What is not there is the engine's to report.
            with contextlib.suppress(ImportError):
                importlib.import_module(module)
        if library in sys.modules:
            return


def _serve(bundle: Bundle, engine: Engine, batch: int, answers: IO[str]) -> None:
    golden = bundle.golden_set()
    said = run_batched(engine, golden.images, batch, golden.covariates)
    _say(answers, {"value": said.value.tolist(), "sigma": said.sigma.tolist()})
    n = len(golden.images)
    # A set that is smaller than a batch is repeated: every run takes exactly ``batch`` samples.
    starts = range(0, n, batch)
    index = [np.arange(start, start + batch) % n for start in starts]
    pictures = [(golden.images[i], golden.covariates[i]) for i in index]
    position = 0
    for line in sys.stdin:
        runs = int(line)
        elapsed_ns: list[int] = []
        gc.disable()  # a collection would count as the engine's
        for turn in range(WARM_RUNS_OF_A_ROUND + runs):
            images, covariates = pictures[position % len(pictures)]
            position += 1
            start = time.perf_counter_ns()
            engine.run(images, covariates)
            if turn >= WARM_RUNS_OF_A_ROUND:
                elapsed_ns.append(time.perf_counter_ns() - start)
        gc.enable()
        _say(answers, {"ns": elapsed_ns})


def resident_mb() -> float | None:
    """Return what of this process lies in memory, 10^6 bytes; None where Linux' /proc is absent."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _say(answers: IO[str], found: dict[str, Any]) -> None:
    answers.write(json.dumps(found) + "\n")
    answers.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
