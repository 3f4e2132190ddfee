"""Every recipe on every set of data: error, rotation, size, cost, time.

    python benchmarks/recipes.py measure RESULTS.jsonl [--set NAME]... [--recipe NAME]... [--epochs 30]
    python benchmarks/recipes.py table RESULTS.jsonl

`measure` trains each recipe on each set with each seed in a process of its own, with the defaults of
`analyte train` but for the number of epochs and the domain of the augmentation (AUGMENT), and appends one
line per training; what the file holds already is not repeated, so it can be stopped and taken up again. Take
out lines whose settings have changed: each says its size, colour planes and augmentation. The seed also draws
the validation and, where the data mark none, the test split.
`table` prints a Markdown table of means and standard deviations over the seeds.

Sets: pad_food_dye, ph_strip_lightbox, gray_calibrators (from ANALYTE_DATA, default ../shared/data), and
simulator (600 photographs of nitrite made by `analyte simulate`, seed 7, 64 px).
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
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tqdm import tqdm

_DATA = Path(os.environ.get("ANALYTE_DATA", Path(__file__).parents[2] / "shared" / "data"))
_SIMULATOR = "simulator"
SIZES = {"pad_food_dye": 16, "ph_strip_lightbox": 24, "gray_calibrators": 32, _SIMULATOR: 32}
"""Edge of the network's picture by set, pixels, unless the recipe needs a larger one."""
AUGMENT = {"pad_food_dye": "field"}
"""Domain of the augmentation by set: several phones took one of them, a rig with one camera the others."""

_COLUMNS = (
    "recipe", "epochs", "px", "seeds", "MAE", "RMSE", "accuracy", "rotation, %", "parameters", "MMAC", "ms",
    "CPU s",
)  # fmt: skip


_SETTINGS = ("recipe", "epochs", "size_px", "colour", "augment")
"""Lines that differ in these are different rows of the table."""


def dataset_folder(name: str) -> Path:
    """Return the folder of a set, made where it is the simulator's."""
    if name != _SIMULATOR:
        return _DATA / name
    folder = Path(tempfile.gettempdir()) / "analyte-benchmark-simulator"
    if not folder.is_dir():
        draft = folder.with_name(f"{folder.name}.{os.getpid()}")
        command = f"{sys.executable} -m analyte.cli simulate {draft} --samples 600 --seed 7 --size 64"
        subprocess.run(command.split(), check=True, stdout=subprocess.DEVNULL)
        draft.rename(folder)
    return folder


def measure_one(name: str, recipe: str, seed: int, epochs: int) -> dict[str, Any]:
    """Train once and measure on the test split; errors in the label's unit."""
    from analyte.train.tensorflow_start import start_tensorflow

    start_tensorflow()
    import numpy as np

    from analyte.contract.labels_file import load_dataset
    from analyte.contract.metrics import regression_metrics
    from analyte.contract.splits import assign_splits
    from analyte.train.batches import LabelledPictures
    from analyte.train.cost import count_macs, measure_latency
    from analyte.train.fitting import predict
    from analyte.train.folding import fold
    from analyte.train.parts import load_part
    from analyte.train.recipes.registry import RECIPES
    from analyte.train.report.rotation import rotation_curves
    from analyte.train.settings import train_settings
    from analyte.train.training import train

    dataset = assign_splits(load_dataset(dataset_folder(name)), seed=seed)
    chosen = RECIPES[recipe]
    size = max(SIZES[name], chosen.min_size)
    size = -(-size // chosen.size_step) * chosen.size_step
    settings = train_settings(
        dataset.spec, recipe=recipe, size=size, epochs=epochs, seed=seed, augment=AUGMENT.get(name, "lab")
    )
    began = time.process_time()
    trained = train(dataset, settings)
    cpu_s = time.process_time() - began
    model = fold(trained.core)
    test = load_part(dataset, "test", trained.preprocessing, trained.covariates)
    found = predict(model, test.data)
    metrics = regression_metrics(test.data.values, found["value"])
    curve = regression_metrics(test.data.values, trained.baseline.predict(test.data.images))

    def turned(pictures: Any, index: int) -> Any:
        covariates = np.repeat(test.data.covariates[index : index + 1], len(pictures), axis=0)
        return predict(model, LabelledPictures(pictures, np.zeros(len(pictures)), covariates))["value"]

    curves = rotation_curves(turned, test.data.images, test.data.values, test.samples)
    spread = float(np.sqrt(np.mean([np.var(c.values) for c in curves])))
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "set": name,
        "recipe": recipe,
        "seed": seed,
        "epochs": epochs,
        "size_px": size,
        "colour": "+".join(settings.network.colour),
        "augment": settings.augment,
        "mae": metrics.mae,
        "rmse": metrics.rmse,
        "r2": metrics.r2,
        "rounded_accuracy": metrics.rounded_accuracy,
        "baseline_mae": curve.mae,
        "val_mae": min(entry["val_mae"] for entry in trained.fit.history),
        "unit": dataset.spec.unit,
        "rotation_percent": 100.0 * spread / dataset.spec.label.span,
        "parameters": model.count_params(),
        "macs": count_macs(model),
        "latency_ms": measure_latency(model),
        "train_cpu_s": cpu_s,
        "train_wall_s": trained.seconds,
        "epochs_run": len(trained.fit.history),
    }


def measure(options: argparse.Namespace) -> None:
    """Run what is missing, one process per training."""
    from analyte.train.recipes.registry import RECIPES

    done = {(r["set"], r["recipe"], r["seed"], r["epochs"]) for r in _read(options.results)}
    wanted = [
        (name, recipe, seed, options.epochs)
        for seed in range(options.seeds)
        for name in options.set or SIZES
        for recipe in options.recipe or RECIPES
    ]
    for job in tqdm([job for job in wanted if job not in done], unit="training", file=sys.stderr):
        command = [sys.executable, __file__, "one", *map(str, job)]
        outcome = subprocess.run(command, capture_output=True, text=True, check=False)
        if outcome.returncode:
            tqdm.write(f"{job}: {outcome.stderr.strip().splitlines()[-1]}", file=sys.stderr)
            continue
        with options.results.open("a", encoding="utf-8") as file:
            file.write(outcome.stdout.strip().splitlines()[-1] + "\n")


def _read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.is_file() else []


def _mean(rows: Sequence[dict[str, Any]], key: str, form: str) -> str:
    values = [row[key] for row in rows if row[key] is not None]
    if not values:
        return "-"
    mean = format(statistics.fmean(values), form)
    return f"{mean} ± {format(statistics.stdev(values), form)}" if len(values) > 1 else mean


def table(options: argparse.Namespace) -> None:
    """Print Markdown, one table per set, the smallest error first."""
    rows = _read(options.results)
    for name in dict.fromkeys(row["set"] for row in rows):
        mine = [row for row in rows if row["set"] == name]
        by_recipe: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
        for row in mine:
            by_recipe.setdefault(tuple(row[key] for key in _SETTINGS), []).append(row)
        curve = _mean(next(iter(by_recipe.values())), "baseline_mae", ".3g")
        print(f"### {name}\n\nErrors in {mine[0]['unit']}; calibration curve (baseline): MAE {curve}.\n")
        print(f"| {' | '.join(_COLUMNS)} |")
        print(f"| --- |{' --: |' * (len(_COLUMNS) - 1)}")
        for found in sorted(
            by_recipe.values(), key=lambda found: statistics.fmean(row["mae"] for row in found)
        ):
            first = found[0]
            print(
                f"| {first['recipe']} | {first['epochs']} | {first['size_px']} | {len(found)} "
                f"| {_mean(found, 'mae', '.3g')} | {_mean(found, 'rmse', '.3g')} "
                f"| {_mean(found, 'rounded_accuracy', '.3f')} "
                f"| {_mean(found, 'rotation_percent', '.2f')} | {first['parameters']} "
                f"| {first['macs'] / 1e6:.2f} | {statistics.median(r['latency_ms'] for r in found):.2f} "
                f"| {statistics.fmean(r['train_cpu_s'] for r in found):.0f} |"
            )
        print()


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("measure")
    run.add_argument("results", type=Path)
    run.add_argument("--set", action="append", choices=SIZES)
    run.add_argument("--recipe", action="append")
    run.add_argument("--seeds", type=int, default=3)
    run.add_argument("--epochs", type=int, default=30)
    show = commands.add_parser("table")
    show.add_argument("results", type=Path)
    one = commands.add_parser("one")
    for name, kind in (("set", str), ("recipe", str), ("seed", int), ("epochs", int)):
        one.add_argument(name, type=kind)
    options = parser.parse_args()
    if options.command == "one":
        print(json.dumps(measure_one(options.set, options.recipe, options.seed, options.epochs)))
    else:
        {"measure": measure, "table": table}[options.command](options)


if __name__ == "__main__":
    main()
