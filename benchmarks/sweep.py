"""How much sooner a sweep ends with two workers than with one, on the same trials.

    python benchmarks/sweep.py [--trials 8] [--workers 2] [--samples 300] [--epochs 12] [--repeats 1] [--json]

Simulates a small study and runs ``analyte sweep`` on it, each time in a fresh process and a fresh
folder, with one worker and with several in turn. Every trial keeps to one core in either case, so that
one worker uses one core. The time is that of the whole command, the start of Ray included; the same
trials give the same errors, and the ratio is refused where they do not. Run it on an idle machine with
at least as many cores as workers.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SPACE = """
size = 32
batch-size = [16, 32]
learning-rate = { low = 1e-3, high = 1e-2, log = true }
"""


def analyte(*arguments: object) -> str:
    command = [sys.executable, "-m", "analyte.cli", *map(str, arguments)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def one_sweep(folder: Path, number: int, workers: int, trials: int) -> tuple[float, dict[str, Any]]:
    """Return the duration of the command, seconds, and what it printed."""
    start = time.perf_counter()
    printed = analyte(
        "sweep", folder / "study", "-o", folder / f"sweep{number}", "--space", folder / "space.toml",
        "--trials", trials, "--workers", workers, "--json",
    )  # fmt: skip
    return time.perf_counter() - start, json.loads(printed)


def errors(record: dict[str, Any]) -> dict[int, float]:
    return {trial["number"]: trial["error"] for trial in record["trials"]}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--samples", type=int, default=300)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    times: dict[int, list[float]] = {1: [], options.workers: []}
    seen: list[dict[int, float]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        analyte("simulate", folder / "study", "--samples", options.samples, "--size", 48, "--sessions", 6)
        (folder / "space.toml").write_text(f"epochs = {options.epochs}\n{SPACE}", "utf-8")
        for number in range(options.repeats):
            for workers in times:
                seconds, record = one_sweep(folder, 2 * number + (workers > 1), workers, options.trials)
                times[workers].append(seconds)
                seen.append(errors(record))
    if any(found != seen[0] for found in seen):
        sys.exit("the same trials gave other errors")
    one, many = (statistics.median(found) for found in times.values())
    result = {
        "trials": options.trials,
        "workers": options.workers,
        "cores": len(os.sched_getaffinity(0)),
        "one_worker_s": round(one, 1),
        "workers_s": round(many, 1),
        "ratio": round(many / one, 3),
        "load_average_1min": round(os.getloadavg()[0], 1),
    }
    print(json.dumps(result) if options.json else "\n".join(f"{k:20} {v}" for k, v in result.items()))


if __name__ == "__main__":
    main()
