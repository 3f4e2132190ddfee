"""``analyte benchmark``."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click


@click.command("benchmark")
@click.argument("bundle", type=click.Path(readable=False, path_type=Path))
@click.option("--artifact", "artifacts", multiple=True, help="Only this artifact; repeatable [default: all].")
@click.option("--engine", "engines", multiple=True, help="Only this engine; repeatable [default: all].")
@click.option(
    "--provider",
    "providers",
    multiple=True,
    help="Only this provider, which then has to be there; repeatable [default: all that are there].",
)
@click.option(
    "--threads", type=click.IntRange(1, 256), default=1, show_default=True, help="Threads of one run."
)
@click.option(
    "--batch", type=click.IntRange(1, 1024), default=1, show_default=True, help="Samples per run, in memory."
)
@click.option(
    "--repeats",
    type=click.IntRange(1),
    help="Timed runs of each case [default: as many as take 2.5 s, 100 to 20,000].",
)
@click.option(
    "--dataset",
    type=click.Path(readable=False, path_type=Path),
    help="Also measure the error on these photographs, by the device's whole pipeline.",
)
@click.option("--unit", help="Unit of the dataset's values, where no dataset.toml states it.")
@click.option(
    "--picture",
    type=click.Path(readable=False, path_type=Path),
    metavar="FILE.png|.svg",
    help="Draw latency, error and size.",
)
@click.option("--overwrite", is_flag=True, help="Replace the picture.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def command(
    bundle: Path,
    artifacts: tuple[str, ...],
    engines: tuple[str, ...],
    providers: tuple[str, ...],
    threads: int,
    batch: int,
    repeats: int | None,
    dataset: Path | None,
    unit: str | None,
    picture: Path | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Measure size, speed, memory and error of every artifact of BUNDLE, here.

    Each artifact runs in a process of its own, on every provider that is there, in turns with the others.
    Errors are over the golden set, and over at most 256 samples of a dataset where one is given: of its test
    split, if it has one, and none that training saw.
    """
    from analyte.contract.bundle import open_bundle
    from analyte.contract.labels_file import load_dataset
    from analyte.runtime.benchmark import Settings, run_benchmark
    from analyte.runtime.cases import Wanted, cases, skipped_lines
    from analyte.runtime.picture import check_picture, save_picture
    from analyte.runtime.progress import progress
    from analyte.runtime.tables import benchmark_table

    if dataset is None and unit is not None:
        raise click.UsageError("--unit needs --dataset DATASET")
    if picture is not None:
        check_picture(picture, overwrite=overwrite)
    elif overwrite:
        raise click.UsageError("--overwrite needs --picture FILE")
    opened = open_bundle(bundle)
    chosen = cases(opened, Wanted(artifacts, engines, providers))
    data = None if dataset is None else load_dataset(dataset, unit=unit)
    settings = Settings(threads, batch, repeats, strict=bool(providers), dataset=data)
    with progress("benchmark") as on_progress:
        found = run_benchmark(opened, chosen, settings, on_progress)
    for line in skipped_lines(found.skipped):
        click.echo(f"analyte benchmark: {line}", err=True)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(found), indent=2, allow_nan=False))
    else:
        click.echo(benchmark_table(found))
    if picture is not None:
        from analyte.runtime.benchmark_picture import draw_benchmark

        save_picture(draw_benchmark(found), picture)
