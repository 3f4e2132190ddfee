"""``analyte parity``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from analyte.contract.bundle import open_bundle
from analyte.contract.errors import ParityError
from analyte.export.tensorflow_start import start_tensorflow


@click.command("parity")
@click.argument("bundle", type=click.Path(readable=False, path_type=Path))
@click.option(
    "--model",
    type=click.Path(readable=False, path_type=Path),
    help="Keras model to compare with [default: the bundle's own].",
)
@click.option(
    "--dataset",
    type=click.Path(readable=False, path_type=Path),
    help="Also compare from these photographs on: decoding, region, resizing, engine and judgement.",
)
@click.option("--unit", help="Unit of the dataset's values, where no dataset.toml states it.")
@click.option(
    "--photographs",
    type=click.IntRange(1),
    metavar="N",
    help="Samples of the dataset, spread over the levels, at most [default: 64].",
)
@click.option("--artifact", "artifacts", multiple=True, help="Only this artifact; repeatable [default: all].")
@click.option(
    "--provider",
    "providers",
    multiple=True,
    help="Only this provider, which then has to be there; repeatable [default: all that are there].",
)
@click.option(
    "--picture",
    type=click.Path(readable=False, path_type=Path),
    metavar="FILE.png|.svg",
    help="Draw the deviations by level as a heat map.",
)
@click.option("--overwrite", is_flag=True, help="Replace the picture.")
@click.option(
    "--worst",
    type=click.Path(readable=False, path_type=Path),
    metavar="FOLDER",
    help="Write the golden images on which a failing artifact is worst.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def command(
    bundle: Path,
    model: Path | None,
    dataset: Path | None,
    unit: str | None,
    photographs: int | None,
    artifacts: tuple[str, ...],
    providers: tuple[str, ...],
    picture: Path | None,
    overwrite: bool,
    worst: Path | None,
    as_json: bool,
) -> None:
    """Run Keras again on the golden set of BUNDLE and compare every artifact with it.

    On every provider that is there, with 1, 2 and all threads, one image at a time and in batches, and with
    the reference kernels of both engines. Exit code 4 when an artifact deviates by more than its tolerance,
    and when the golden set is no longer what Keras says; 5 when an artifact cannot be run here at all.
    """
    from analyte.contract.labels_file import load_dataset
    from analyte.runtime.cases import Wanted, cases, skipped_lines
    from analyte.runtime.picture import check_picture, save_picture

    if dataset is None and (unit is not None or photographs is not None):
        raise click.UsageError("--unit and --photographs need --dataset DATASET")
    if picture is not None:
        check_picture(picture, overwrite=overwrite)
    elif overwrite:
        raise click.UsageError("--overwrite needs --picture FILE")
    opened = open_bundle(bundle)
    wanted = Wanted(artifacts, (), providers)
    chosen = cases(opened, wanted, reference=True)
    data = None if dataset is None else load_dataset(dataset, unit=unit)
    start_tensorflow()
    from tqdm import tqdm

    from analyte.export.parity import ParitySettings, check_parity, to_json
    from analyte.export.parity_photographs import PHOTOGRAPHS
    from analyte.export.parity_report import parity_text, write_worst

    settings = ParitySettings(model, wanted, data, photographs or PHOTOGRAPHS)
    total = len(chosen) * (1 if data is None else 2)
    with tqdm(total=total, desc="parity", unit="case", disable=None, leave=False) as bar:
        parity = check_parity(opened, settings, lambda name: bar.update())
    for line in skipped_lines(parity.skipped):
        click.echo(f"analyte parity: {line}", err=True)
    for row in parity.broken:
        click.echo(f"analyte parity: {row.artifact} on {row.provider}, {row.reason}", err=True)
    if as_json:
        click.echo(json.dumps(to_json(parity), indent=2, allow_nan=False))
    else:
        click.echo(parity_text(parity, opened.manifest.label.unit))
    golden = opened.golden_set()
    if picture is not None:
        from analyte.export.deviation_picture import draw_deviations

        save_picture(draw_deviations(parity.by_image, golden.true, opened.manifest.label), picture)
    if worst is not None and parity.worst:
        files = write_worst(parity.worst, golden, worst)
        click.echo(f"analyte parity: {len(files)} images written to {worst}", err=True)
    if not parity.passed:
        raise ParityError(f"{', '.join(parity.failed)} deviates by more than its tolerance", where=bundle)
