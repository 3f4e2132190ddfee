"""What each format costs and gives: size, error on the test split, deviation from Keras, time.

    python benchmarks/quantization.py measure RESULTS.jsonl [--set NAME]... [--epochs 30]
    python benchmarks/quantization.py table RESULTS.jsonl

`measure` trains the default network on each set at 64 px, once as it is and once on plain colours
(`--colour rgb`, which integers in and out are for), exports it in all formats, and appends one line per
artifact: its size, its error on the test split (`analyte evaluate`), its deviation on the golden set and its
time for one picture on one thread, all artifacts in turns (`analyte benchmark`). `table` prints Markdown:
sizes and times are relative to float32 of the same engine. Sets as in benchmarks/recipes.py.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recipes import AUGMENT, dataset_folder

_SETS = ("ph_strip_lightbox", "simulator", "pad_food_dye")
_COLOURS = ("default", "rgb")
_SIZE_PX = 64
_COLUMNS = (
    "set", "colour", "artifact", "KiB", "of float32, %", "test MAE", "change, %", "p99 deviation, % of range",
    "us", "times as fast",
)  # fmt: skip


def _analyte(*arguments: object) -> str:
    command = [sys.executable, "-m", "analyte.cli", *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _measure(results: Path, sets: list[str], epochs: int) -> None:
    for name in sets:
        for colour in _COLOURS:
            with tempfile.TemporaryDirectory() as folder, results.open("a") as file:
                for row in _rows(name, colour, epochs, Path(folder)):
                    file.write(json.dumps(row) + "\n")


def _rows(name: str, colour: str, epochs: int, folder: Path) -> list[dict[str, Any]]:
    data, run, bundle = dataset_folder(name), folder / "run", folder / "b.analyte"
    augment = ("--augment", AUGMENT[name]) if name in AUGMENT else ()
    chosen = () if colour == "default" else ("--colour", colour)
    _analyte("train", data, "-o", run, "--epochs", epochs, "--size", _SIZE_PX, *augment, *chosen)
    manifest = json.loads(
        _analyte("export", run, "-o", bundle, "--format", "all", "--allow-degraded", "--json")
    )
    low, high = manifest["label"]["range"]
    degraded = {artifact["name"]: bool(artifact["degraded"]) for artifact in manifest["artifacts"]}
    errors = {row["name"]: row for row in json.loads(_analyte("evaluate", bundle, data, "--json"))["results"]}
    rows = []
    for row in json.loads(_analyte("benchmark", bundle, "--json"))["results"]:
        if row["provider"] not in ("cpu", "xnnpack") or (row["engine"], row["provider"]) == ("litert", "cpu"):
            continue
        artifact = row["artifact"]
        rows.append(
            {
                "date": datetime.now(UTC).date().isoformat(),
                "machine": platform.machine(),
                "set": name,
                "colour": colour,
                "epochs": epochs,
                "size_px": _SIZE_PX,
                "artifact": artifact,
                "engine": row["engine"],
                "bytes": row["bytes"],
                "test_mae": errors[artifact]["mae"],
                "test_mae_keras": errors["keras"]["mae"],
                "p99_of_range": row["p99_deviation"] / (high - low),
                "p50_us": row["p50_us"],
                "degraded": degraded[artifact],
            }
        )
    return rows


def _table(results: Path) -> str:
    rows = [json.loads(line) for line in results.read_text().splitlines()]
    exact = {
        (row["set"], row["colour"], row["engine"]): row
        for row in rows
        if row["artifact"] in ("onnx", "tflite")
    }
    lines = [f"| {' | '.join(_COLUMNS)} |", f"|{' --- |' * len(_COLUMNS)}"]
    for row in rows:
        base = exact[row["set"], row["colour"], row["engine"]]
        cells = (
            row["set"],
            row["colour"],
            row["artifact"] + (" (misses the gate)" if row["degraded"] else ""),
            f"{row['bytes'] / 1024:.1f}",
            f"{100 * row['bytes'] / base['bytes']:.1f}",
            f"{row['test_mae']:.4g}",
            f"{100 * (row['test_mae'] / row['test_mae_keras'] - 1):+.2f}",
            f"{100 * row['p99_of_range']:.3f}",
            f"{row['p50_us']:.0f}",
            f"{base['p50_us'] / row['p50_us']:.2f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, dest="command")
    measure, table = commands.add_parser("measure"), commands.add_parser("table")
    for command in (measure, table):
        command.add_argument("results", type=Path)
    measure.add_argument("--set", dest="sets", action="append", choices=_SETS)
    measure.add_argument("--epochs", type=int, default=30)
    given = parser.parse_args()
    if given.command == "measure":
        _measure(given.results, given.sets or list(_SETS), given.epochs)
    else:
        sys.stdout.write(_table(given.results) + "\n")


if __name__ == "__main__":
    main()
