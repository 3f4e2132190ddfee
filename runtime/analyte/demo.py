"""``analyte demo``: the whole way from photographs to readings, with the commands that a user would type."""

from __future__ import annotations

import csv
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from analyte.contract.errors import AnalyteError
from analyte.contract.output import check_output
from analyte.runtime.tables import format_table

_SAMPLES, _SESSIONS, _SIZE_PX = 1000, 36, 96
_NETWORK_PX, _EPOCHS = 32, 20
"""Small and short: the demo shows the way in minutes; a real training takes the defaults. Photographs of many
days: what a network cannot learn from a few is what changes between days, and a verdict with confidence takes
six that were held out."""

_MARKER = "DEMO.txt"
"""Tells a folder of the demo from one with real readings, which is never overwritten."""

_PROFILE = """\
# Written by `analyte demo`: a device whose camera is a simulated clip.
[device]
id = "demo"

[region.boxes]
sample = {{ x = {x}, y = {y}, w = {w}, h = {h} }}

[engine]
name = "litert"
provider = "xnnpack"
artifacts = ["tflite-int8"]

[storage]
path = "readings.sqlite"
"""
INSTRUMENT = """\
# Written by `analyte demo`: a simulated instrument with its page. In this folder:
#   analyte daemon --device instrument.toml --bundle nitrite.analyte
[device]
id = "instrument"

[camera]
source = "sim:clip.avi"
simulated = {{ fps = 5, picture_s = 0.2 }}

[measure]
interval_s = 1.0

[region.boxes]
sample = {{ x = {x}, y = {y}, w = {w}, h = {h} }}

[engine]
name = "litert"
provider = "xnnpack"
artifacts = ["tflite-int8"]

[storage]
path = "instrument.sqlite"
refused_frames = "refused"

[bundles]
folder = "bundles"
max_difference = 5.0

# The vials of the clip lie within two s of it: what a control looks like, not how one is chosen.
[[control.materials]]
name = "QC 215"
lot = "demo"
target = 215.0
s = 60.0

[control.drift]
method = "cusum"

[serve]
port = 8080
"""


@dataclass(frozen=True, slots=True)
class FrameResult:
    """What the daemon said about one frame, beside the truth; all in the label's unit."""

    frame: int
    true: float
    reading: dict[str, Any]
    """As the daemon printed it."""

    @property
    def inside(self) -> bool:
        """Whether the true value lies in the interval."""
        return not self.reading["refused"] and self.reading["lower"] <= self.true <= self.reading["upper"]


@click.command("demo")
@click.option(
    "-o",
    "--out",
    default="demo",
    show_default=True,
    type=click.Path(readable=False, path_type=Path),
    help="Folder to write.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**31 - 1),
    default=0,
    show_default=True,
    help="Of photographs and training; the same gives the same.",
)
@click.option("--overwrite", is_flag=True, help="Replace what an earlier demo left.")
def command(out: Path, seed: int, overwrite: bool) -> None:
    """Simulate, train, export, prove and run: a camera that reads nitrite, in a few minutes.

    Everything is left in OUT: photographs, run, bundle, clip, readings and a picture of true against read.
    """
    check_output(out, overwrite=overwrite, marker=_MARKER)
    out.mkdir(parents=True, exist_ok=True)
    (out / _MARKER).write_text("Made by `analyte demo`, which may replace everything here.\n", "utf-8")
    started = time.monotonic()
    again = ["--overwrite"] if overwrite else []
    data, clip, run, bundle = out / "photographs", out / "clip.avi", out / "run", out / "nitrite.analyte"
    _step(
        "simulate", str(data), "--samples", str(_SAMPLES), "--sessions", str(_SESSIONS),
        "--size", str(_SIZE_PX), "--seed", str(seed), "--clip", str(clip), *again,
    )  # fmt: skip
    _step(
        "train", str(data), "-o", str(run), "--size", str(_NETWORK_PX), "--epochs", str(_EPOCHS),
        "--seed", str(seed), *again,
    )  # fmt: skip
    _step("export", str(run), "-o", str(bundle), *again)
    _step("parity", str(bundle))
    _step("evaluate", str(bundle), str(data))
    results = _read_clip(out, bundle, clip)
    unit = results[0].reading["unit"]
    click.echo(_table(results, unit))
    _draw(results, unit, clip, out / "readings.png")
    click.echo(f"\ndone in {time.monotonic() - started:.0f} s; everything is in {out}:")
    for path in sorted(out.iterdir()):
        click.echo(f"  {path}")


def _step(*arguments: str, stdout: Any = None) -> None:
    """Show a command and run it as a user would; its failure ends the demo with its exit code."""
    click.secho(f"\n$ analyte {shlex.join(arguments)}", bold=True)
    done = subprocess.run([sys.executable, "-m", "analyte.cli", *arguments], stdout=stdout, check=False)
    if done.returncode != 0:
        click.echo(f"analyte: the demo ends here: 'analyte {arguments[0]}' failed", err=True)
        raise click.exceptions.Exit(done.returncode)


def _read_clip(out: Path, bundle: Path, clip: Path) -> list[FrameResult]:
    """Run the daemon over the clip and put its readings beside the true values."""
    info = json.loads(clip.with_name(clip.name + ".json").read_text("utf-8"))
    profile, lines, store = out / "device.toml", out / "readings.jsonl", out / "readings.sqlite"
    profile.write_text(_PROFILE.format(**info["region"]), "utf-8")
    (out / "instrument.toml").write_text(INSTRUMENT.format(**info["region"]), "utf-8")
    for old in out.glob("readings.sqlite*"):
        old.unlink()
    with lines.open("w", encoding="utf-8") as file:
        _step(
            "daemon", "--device", str(profile), "--bundle", str(bundle), "--source", str(clip),
            "--store", str(store), stdout=file,
        )  # fmt: skip
    with clip.with_name(clip.name + ".csv").open(encoding="utf-8") as file:
        true = {int(row["frame"]): float(row["value"]) for row in csv.DictReader(file)}
    readings = [json.loads(line) for line in lines.read_text("utf-8").splitlines()]
    if not readings:
        raise AnalyteError("the daemon gave no reading", where=clip)
    results = []
    for reading in readings:
        frame = int(reading["source"].rpartition("#")[2])
        results.append(FrameResult(frame, true[frame], reading))
    return results


def _table(results: Sequence[FrameResult], unit: str) -> str:
    """One line per concentration of the clip."""
    rows = []
    for true in dict.fromkeys(result.true for result in results):
        members = [result for result in results if result.true == true]
        given = [result.reading for result in members if not result.reading["refused"]]
        if not given:
            rows.append((f"{true:.1f}", "refused", "-", "-", str(len(members)), "-"))
            continue
        mean, lower, upper = (
            sum(reading[key] for reading in given) / len(given) for key in ("value", "lower", "upper")
        )
        inside = sum(result.inside for result in members)
        rows.append(
            (
                f"{true:.1f}",
                f"{mean:.1f}",
                f"{mean - true:+.1f}",
                f"{lower:.1f} to {upper:.1f}",
                str(len(members)),
                f"{inside}/{len(members)}",
            )
        )
    header = (f"true, {unit}", f"read, {unit}", "difference", "95 % interval", "frames", "true value inside")
    return "\n" + format_table(header, rows, right=frozenset((0, 1, 2, 4, 5)))


def _wells(results: Sequence[FrameResult], clip: Path) -> list[tuple[float, Any]]:
    """Return the true value and the region, RGB, of the first frame of each concentration."""
    import cv2

    capture = cv2.VideoCapture(str(clip))
    try:
        frames = []
        while (grabbed := capture.read())[0]:
            frames.append(grabbed[1])
    finally:
        capture.release()
    wells: dict[float, Any] = {}
    for result in results:
        x, y, w, h = result.reading["regions"]["sample"]
        crop = frames[result.frame][y : y + h, x : x + w]
        wells.setdefault(result.true, cv2.cvtColor(crop, cv2.COLOR_BGR2RGB))
    return list(wells.items())


def _draw(results: Sequence[FrameResult], unit: str, clip: Path, path: Path) -> None:
    """Draw true and read values over the clip, below what the camera saw."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5.4), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=(1, 3))[:, 0]
    seen = _wells(results, clip)
    for axes, (true, picture) in zip(above.subplots(1, len(seen)), seen, strict=True):
        axes.imshow(picture)
        axes.set_title(f"{true:g} {unit}", fontsize=9)
        axes.axis("off")
    axes = below.subplots()
    given = [result for result in results if not result.reading["refused"]]
    frames = [result.frame for result in given]
    axes.fill_between(
        frames,
        [result.reading["lower"] for result in given],
        [result.reading["upper"] for result in given],
        color="#0b6e99",
        alpha=0.2,
        linewidth=0,
        label="95 % interval",
    )
    axes.plot(frames, [result.reading["value"] for result in given], ".", color="#0b6e99", label="read")
    axes.step(
        [result.frame for result in results],
        [result.true for result in results],
        where="post",
        color="0.2",
        linewidth=1,
        label="true",
    )
    axes.set_xlabel("frame of the clip")
    axes.set_ylabel(f"nitrite, {unit}")
    figure.suptitle("Simulated clip of known concentrations, read by the daemon (TFLite int8)", fontsize=11)
    axes.legend()
    figure.savefig(path, dpi=110)
