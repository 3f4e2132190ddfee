"""``analyte simulate``: photographs of a reaction whose true concentration is known."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from analyte.contract.errors import SettingsError
from analyte.contract.output import check_output
from analyte.train.simulator.chemistry import REACTIONS
from analyte.train.simulator.config import DEFAULT_JPEG_QUALITY, DEFAULT_SIZE_PX, SimulationConfig
from analyte.train.simulator.spectra import CAMERAS


@click.command("simulate")
@click.argument("out", type=click.Path(readable=False, path_type=Path))
@click.option(
    "--samples", "-n", default=1000, show_default=True, help="Number of specimens, 1 to 10 million."
)
@click.option("--seed", default=0, show_default=True, help="The same seed gives the same pictures.")
@click.option(
    "--size", default=DEFAULT_SIZE_PX, show_default=True, help="Edge of the pictures, 32 to 4096 px."
)
@click.option(
    "--reaction",
    type=click.Choice(list(REACTIONS)),
    default="griess",
    show_default=True,
    help="What is measured.",
)
@click.option(
    "--range",
    "bounds",
    nargs=2,
    type=float,
    metavar="LOW HIGH",
    help="Values, in the reaction's unit [default: the reaction's own].",
)
@click.option(
    "--sessions",
    default=12,
    show_default=True,
    help="Days, 1 to 10,000, each with its own light and white balance.",
)
@click.option(
    "--levels", type=int, help="Number of standards, 2 to 10,000; values are continuous without it."
)
@click.option("--reference", is_flag=True, help="Photograph a white patch beside every sample.")
@click.option(
    "--jpeg-quality", default=DEFAULT_JPEG_QUALITY, show_default=True, help="Of the pictures, 1 to 100."
)
@click.option(
    "--camera",
    type=click.Choice(CAMERAS),
    default=CAMERAS[0],
    show_default=True,
    help="Whose spectral sensitivities see it.",
)
@click.option(
    "--clip",
    type=click.Path(readable=False, path_type=Path),
    metavar="FILE",
    help="Also film known concentrations (.avi).",
)
@click.option(
    "--clip-values", metavar="A,B,...", help="Concentrations of the clip; six of the range by default."
)
@click.option("--overwrite", is_flag=True, help="Replace OUT and the clip.")
@click.option("--json", "as_json", is_flag=True, help="Summary as JSON.")
def command(
    out: Path,
    samples: int,
    seed: int,
    size: int,
    reaction: str,
    bounds: tuple[float, float] | None,
    sessions: int,
    levels: int | None,
    reference: bool,
    jpeg_quality: int,
    camera: str,
    clip: Path | None,
    clip_values: str | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Photograph a simulated colorimetric reaction in a well and write the dataset OUT.

    Values, light, camera and geometry behind every picture are in OUT/truth.json and OUT/truth.csv; the error
    of an ideal observer is noise_floor in OUT/dataset.toml. Whole sessions are held back for testing: without
    --reference their light is partly confounded with the concentration, as it is in a real laboratory.
    """
    config = SimulationConfig(
        samples=samples,
        seed=seed,
        size_px=size,
        reaction=reaction,
        range=bounds,
        sessions=sessions,
        levels=levels,
        reference=reference,
        jpeg_quality=jpeg_quality,
        camera=camera,
    )
    if clip is None and clip_values is not None:
        raise click.UsageError("--clip-values needs --clip FILE")
    steps = None if clip_values is None else _numbers(clip_values)
    summary = _simulate(out, config, clip, steps, overwrite)
    _warn_of_splits(summary["splits"], config)
    click.echo(json.dumps(summary, indent=2) if as_json else _in_words(summary))


def _simulate(
    out: Path, config: SimulationConfig, clip: Path | None, steps: tuple[float, ...] | None, overwrite: bool
) -> dict[str, Any]:
    from analyte.train.simulator.clip import clip_files, default_steps, render_clip
    from analyte.train.simulator.writer import TRUTH_FILE, write_dataset

    # Every output is checked before the first picture is drawn.
    check_output(out, overwrite=overwrite, marker=TRUTH_FILE)
    summary: dict[str, Any] = {}
    if clip is not None:
        for file in clip_files(clip):
            check_output(file, overwrite=overwrite)
        with _progress("clip", "frame") as progress:
            info = render_clip(
                clip, config, steps or default_steps(config), overwrite=overwrite, progress=progress
            )
        summary["clip"] = {
            "path": str(info.path),
            "region": info.region.model_dump(),
            "frames": info.frames,
            "frames_per_second": info.frames_per_second,
            "values": list(info.values),
        }
    with _progress("photographs", "sample") as progress:
        result = write_dataset(out, config, overwrite=overwrite, progress=progress)
    return {**asdict(result), "path": str(result.path), **summary}


def _warn_of_splits(splits: dict[str, int], config: SimulationConfig) -> None:
    """Say which split got no sample although there are sessions enough to hold some back."""
    missing = [name for name in ("train", "val", "test") if not splits.get(name)]
    if missing and "unassigned" not in splits:
        click.echo(
            f"analyte: warning: no sample for {' and '.join(missing)}: {config.samples} samples do not reach "
            f"all of {config.sessions} sessions; pass --samples {config.sessions} or more, or fewer "
            "--sessions",
            err=True,
        )


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise SettingsError("--clip-values: not numbers", expected="such as 100,200,300", got=text) from error


def _in_words(summary: dict[str, Any]) -> str:
    low, high = summary["range"]
    splits = ", ".join(f"{count} {name}" for name, count in summary["splits"].items())
    unit = summary["unit"]
    lines = [
        f"{summary['path']}: {summary['samples']} samples, {summary['photographs']} photographs ({splits})",
        f"range {low:g} to {high:g} {unit}; ideal observer RMSE {summary['noise_floor']:.3g} {unit}",
    ]
    if "clip" in summary:
        region = ",".join(str(summary["clip"]["region"][key]) for key in "xywh")
        lines.append(
            f"{summary['clip']['path']}: {summary['clip']['frames']} frames, well at x,y,w,h = {region}"
        )
    return "\n".join(lines)


@contextmanager
def _progress(what: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """Give a function that moves a bar on stderr; no bar where stderr is no terminal."""
    with tqdm(desc=what, unit=unit, disable=None, leave=False) as bar:

        def advance(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield advance
