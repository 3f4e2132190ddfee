"""By what angle a handwritten digit was turned: regression of something that turning changes.

    python benchmarks/digits.py measure RESULTS.jsonl [--arm NAME]... [--seeds 3]
    python benchmarks/digits.py table RESULTS.jsonl

The data are `digits_rotation` (from ANALYTE_DATA, default ../shared/data): 5000 digits of 28 px, turned by
-45 to 45 degrees. A published figure for this task is an RMSE of 2.6 % of the largest possible error, 90
degrees.

`measure` trains each arm with each seed in a process of its own and appends one line per training; what the
file holds already is not repeated. The seed also draws the splits: about 65 percent of the digits are for
training, 15 for validation, 20 for the test. `table` prints Markdown: means and standard deviations.

Handwriting slants: that a digit of unknown hand was written upright is what no network can know. So each test
digit is also turned further by known angles (OpenCV, bilinear). The error of the value minus the known angle
then has two parts: what all turns of a digit share (`per_digit_rms`: its slant, and what the network makes of
its shape), and what changes from turn to turn (`per_turn_rms`: the network alone).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from analyte.contract.arrays import Float64Array, UInt8Array

_DATA = Path(os.environ.get("ANALYTE_DATA", Path(__file__).parents[2] / "shared" / "data"))
LARGEST_DEG = 90.0
"""Largest possible error, degrees."""
_TURNS_DEG = (-20.0, -10.0, 0.0, 10.0, 20.0)
_REACH_DEG = 45.0 - max(_TURNS_DEG)
"""Digits that are turned by more already are left out of the turning: they would leave the range."""

_COMMON: Mapping[str, Any] = {"augment": "none", "colour": "grey", "head": "linear", "loss": "mse"}
ARMS: dict[str, Mapping[str, Any]] = {
    "conv-flatten": {**_COMMON, "recipe": "conv-flatten", "size": 28, "epochs": 30},
    "resnet-small": {**_COMMON, "recipe": "resnet-small", "size": 28, "epochs": 30},
}
"""Options of `analyte.train.settings.train_settings` by name."""

_COLUMNS = (
    "arm", "seeds", "RMSE, % of 90°", "RMSE, °", "MAE, °", "per digit, °", "per turn, °", "parameters",
    "CPU s",
)  # fmt: skip


def measure_one(options: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Train once; errors on the test split, degrees."""
    from analyte.train.tensorflow_start import start_tensorflow

    start_tensorflow()
    from analyte.contract.labels_file import load_dataset
    from analyte.contract.metrics import regression_metrics
    from analyte.contract.splits import assign_splits
    from analyte.train.batches import LabelledPictures
    from analyte.train.fitting import predict
    from analyte.train.folding import fold
    from analyte.train.parts import load_part
    from analyte.train.settings import train_settings
    from analyte.train.training import train

    dataset = assign_splits(load_dataset(_DATA / "digits_rotation"), seed=seed)
    began = time.process_time()
    trained = train(dataset, train_settings(dataset.spec, seed=seed, **options))
    cpu_s = time.process_time() - began
    model = fold(trained.core)
    test = load_part(dataset, "test", trained.preprocessing)
    metrics = regression_metrics(test.data.values, predict(model, test.data)["value"])
    val = regression_metrics(trained.val.data.values, predict(model, trained.val.data)["value"])
    inside = test.data.take(np.abs(test.data.values) <= _REACH_DEG)
    errors = []
    for turn in _TURNS_DEG:
        turned = LabelledPictures(_turned(inside.images, turn), inside.values + turn, inside.covariates)
        errors.append(predict(model, turned)["value"] - turned.values)
    per_digit, per_turn = _parts(np.stack(errors, axis=1))
    return {
        "seed": seed,
        "epochs": options["epochs"],
        "val_rmse": val.rmse,
        "rmse": metrics.rmse,
        "rmse_percent": 100.0 * metrics.rmse / LARGEST_DEG,
        "mae": metrics.mae,
        "r2": metrics.r2,
        "per_digit_rms": per_digit,
        "per_turn_rms": per_turn,
        "parameters": model.count_params(),
        "cpu_s": cpu_s,
    }


def _turned(pictures: UInt8Array, degrees: float) -> UInt8Array:
    """Turn ``[N, V, S, S, 3]`` about the middle, counter-clockwise; what comes in is black, as the rest."""
    edge = pictures.shape[-2]
    middle = (edge - 1) / 2.0
    matrix = cv2.getRotationMatrix2D((middle, middle), degrees, 1.0)
    flat = pictures.reshape(-1, *pictures.shape[-3:])
    result: UInt8Array = np.stack([cv2.warpAffine(picture, matrix, (edge, edge)) for picture in flat])
    return result.reshape(pictures.shape)


def _parts(errors: Float64Array) -> tuple[float, float]:
    """Split errors ``[digit, turn]``, degrees, into what a digit's turns share and the rest, both RMS.

    One-way analysis of variance: the mean of T turns holds a T-th of the variance of the rest.
    """
    turns = errors.shape[1]
    rest = float(np.mean(np.var(errors, axis=1, ddof=1)))
    shared = float(np.mean(np.mean(errors, axis=1) ** 2)) - rest / turns
    return math.sqrt(max(0.0, shared)), math.sqrt(rest)


def measure(options: argparse.Namespace) -> None:
    """Run what is missing, one process per training."""
    done = {(row["arm"], row["seed"]) for row in _read(options.results)}
    wanted = [(name, seed) for seed in range(options.seeds) for name in options.arm or ARMS]
    for name, seed in tqdm([job for job in wanted if job not in done], unit="training", file=sys.stderr):
        command = [sys.executable, __file__, "one", name, str(seed)]
        outcome = subprocess.run(command, capture_output=True, text=True, check=False)
        if outcome.returncode:
            tqdm.write(f"{name}, seed {seed}: {outcome.stderr.strip().splitlines()[-1]}", file=sys.stderr)
            continue
        with options.results.open("a", encoding="utf-8") as file:
            file.write(outcome.stdout.strip().splitlines()[-1] + "\n")


def _read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.is_file() else []


def _spread(rows: Sequence[dict[str, Any]], key: str) -> str:
    values = [row[key] for row in rows]
    mean = f"{statistics.fmean(values):.2f}"
    return f"{mean} ± {statistics.stdev(values):.2f}" if len(values) > 1 else mean


def table(options: argparse.Namespace) -> None:
    """Print Markdown, the smallest error first."""
    rows = _read(options.results)
    by_arm = {
        name: [row for row in rows if row["arm"] == name] for name in dict.fromkeys(r["arm"] for r in rows)
    }
    print(f"| {' | '.join(_COLUMNS)} |\n| --- |{' --: |' * (len(_COLUMNS) - 1)}")
    for name, found in sorted(by_arm.items(), key=lambda item: statistics.fmean(r["rmse"] for r in item[1])):
        errors = [
            _spread(found, key) for key in ("rmse_percent", "rmse", "mae", "per_digit_rms", "per_turn_rms")
        ]
        cpu_s = format(statistics.fmean(row["cpu_s"] for row in found), ".0f")
        cells = (name, len(found), *errors, found[0]["parameters"], cpu_s)
        print(f"| {' | '.join(map(str, cells))} |")


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("measure")
    run.add_argument("results", type=Path)
    run.add_argument("--arm", action="append", choices=ARMS)
    run.add_argument("--seeds", type=int, default=3)
    show = commands.add_parser("table")
    show.add_argument("results", type=Path)
    one = commands.add_parser("one")
    one.add_argument("arm", choices=ARMS)
    one.add_argument("seed", type=int)
    options = parser.parse_args()
    if options.command == "one":
        print(json.dumps({"arm": options.arm, **measure_one(ARMS[options.arm], options.seed)}))
    else:
        {"measure": measure, "table": table}[options.command](options)


if __name__ == "__main__":
    main()
