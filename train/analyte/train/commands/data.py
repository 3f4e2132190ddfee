"""``analyte data``: what is wrong with a dataset, and what it holds, before anything is trained on it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from analyte.train.commands import data_augment

# Everything that reads data is imported when a sub-command runs: help stays instant.
if TYPE_CHECKING:
    from analyte.train.inspection.finding import Finding
    from analyte.train.inspection.inspection import Inspection

_Command = TypeVar("_Command", bound=Callable[..., None])


@click.group("data")
def command() -> None:
    """Look at a dataset before training on it."""


command.add_command(data_augment.command)


def _dataset_options(function: _Command) -> _Command:
    """Add what both sub-commands take."""
    for decorate in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON; its fields stay as they are."),
        click.option("--analyte", help="What is measured, where no dataset.toml states it."),
        click.option("--unit", help="Unit of the values, where no dataset.toml states it."),
        click.option(
            "--size",
            type=click.IntRange(8, 1024),
            help="Edge of the network's picture, px [default: as training].",
        ),
        click.argument("dataset", type=click.Path(readable=False, path_type=Path)),
    ):
        function = decorate(function)
    return function


@command.command("check")
@_dataset_options
def check(dataset: Path, size: int | None, unit: str | None, analyte: str | None, as_json: bool) -> None:
    """Look for what would make errors look smaller than they are, or readings wrong.

    Copies and look-alikes across splits or groups, groups or sessions in two splits, values and covariates
    that training never shows, covariates or light that tell the value, light that differs between sessions,
    clipped pixels.

    Each finding has a severity, the rows it is about, and what to do. Exit code 0 with warnings and notes
    only, 3 with errors: training would refuse the data, or an error measured on them would mean nothing.

    \b
    --json prints {"dataset", "name", "samples", "passed", "counts": {"error", "warning", "note"},
    "findings": [{"code", "severity", "what", "fix", "samples", "rows", "files", "pairs", "details"}]}.
    """
    from analyte.train.inspection.checks import CHECKS, run_checks
    from analyte.train.inspection.text import describe_findings

    inspection = _inspect(dataset, size, unit, analyte)
    with _bar("check", len(CHECKS), "check") as bar:

        def advance(name: str) -> None:
            bar.set_postfix_str(name)
            bar.update()

        findings = run_checks(inspection, on_progress=advance)
    if as_json:
        click.echo(json.dumps(_as_json(dataset, inspection, findings), indent=2))
    else:
        click.echo(describe_findings(findings, inspection))
    if any(found.severity == "error" for found in findings):
        raise click.exceptions.Exit(3)


@command.command("stats")
@_dataset_options
@click.option(
    "--picture",
    type=click.Path(readable=False, path_type=Path, dir_okay=False),
    metavar="FILE.png",
    help="Also draw the set: samples by value, values by split, colours by session [default: no picture].",
)
@click.option("--overwrite", is_flag=True, help="Replace FILE.png.")
def stats(
    dataset: Path,
    size: int | None,
    unit: str | None,
    analyte: str | None,
    as_json: bool,
    picture: Path | None,
    overwrite: bool,
) -> None:
    """Count samples by split, session, group and value, and measure exposure, sharpness and colour.

    \b
    --json prints {"dataset", "name", "analyte", "unit", "range", "views", "samples", "pictures",
    "network_px", "splits", "groups": {"count", "smallest", "largest"}, "sessions": [{"session", "samples",
    "groups", "splits", "lowest", "highest"}], "levels": [{"value", "samples"}] or null, "histogram":
    {"edges", "samples"}, "exposure": [{"view", "split", "session", "pictures", "mean_rgb", "black", "white",
    "over_exposed", "under_exposed", "sharpness"}], "sizes": [{"view", "width_px", "height_px",
    "pictures"}]}; what is counted by split is {"train", "val", "test", "unassigned"}, those without samples
    left out.
    """
    from analyte.contract.errors import DatasetError
    from analyte.contract.output import check_output
    from analyte.train.inspection.finding import count, listed
    from analyte.train.inspection.statistics import statistics_of
    from analyte.train.inspection.text import describe_statistics

    if picture is not None:
        if picture.suffix.lower() != ".png":
            raise click.BadParameter(f"{picture} does not end in .png", param_hint="--picture")
        check_output(picture, overwrite=overwrite)
    elif overwrite:
        raise click.UsageError("--overwrite needs --picture FILE.png")
    inspection = _inspect(dataset, size, unit, analyte)
    if inspection.survey.unusable:
        raise DatasetError(
            f"{count(len(inspection.survey.unusable), 'picture')} cannot be used: "
            f"{listed((entry.reason for entry in inspection.survey.unusable), 3)}",
            where=dataset,
            fix="'analyte data check' lists them all",
        )
    statistics = statistics_of(inspection)
    if picture is not None:
        _draw(inspection, picture)
    shown = {"dataset": str(dataset), **statistics.to_json()}
    click.echo(json.dumps(shown, indent=2) if as_json else describe_statistics(statistics))


def _inspect(dataset: Path, size: int | None, unit: str | None, analyte: str | None) -> Inspection:
    from analyte.contract.labels_file import load_dataset
    from analyte.train.inspection.inspection import inspect

    data = load_dataset(dataset, unit=unit, analyte=analyte)
    with _bar("read", len(data.samples), "sample") as bar:
        return inspect(data, dataset, size=size, on_progress=bar.update)


def _bar(what: str, total: int, unit: str) -> Any:
    """Return a progress bar on stderr; none where stderr is no terminal."""
    from tqdm import tqdm

    return tqdm(total=total, desc=what, unit=unit, disable=None, leave=False)


def _draw(inspection: Inspection, picture: Path) -> None:
    from analyte.contract.output_file import staged_file
    from analyte.train.inspection.overview import draw_overview

    data = draw_overview(inspection)
    with staged_file(picture, overwrite=True) as file:
        file.write(data)


def _as_json(dataset: Path, inspection: Inspection, findings: list[Finding]) -> dict[str, Any]:
    from dataclasses import asdict

    from analyte.train.inspection.finding import SEVERITIES

    counts = {severity: sum(found.severity == severity for found in findings) for severity in SEVERITIES}
    return {
        "dataset": str(dataset),
        "name": inspection.dataset.spec.name,
        "samples": len(inspection.samples),
        "passed": counts["error"] == 0,
        "counts": counts,
        "findings": [asdict(found) for found in findings],
    }
