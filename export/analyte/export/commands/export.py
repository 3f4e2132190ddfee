"""``analyte export``."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from analyte.contract.errors import ParityError
from analyte.contract.manifest import MANIFEST_FILE
from analyte.contract.output import check_output, staged_folder
from analyte.contract.run import load_record
from analyte.export.formats import FORMATS, Format
from analyte.export.tensorflow_start import start_tensorflow

if TYPE_CHECKING:
    from analyte.export.bundle_writer import ExportedArtifact

_ALL = "all"


@click.command("export")
@click.argument("run", type=click.Path(path_type=Path), required=False)
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Bundle folder to write, NAME.analyte.")
@click.option(
    "--format",
    "names",
    multiple=True,
    metavar="FORMAT",
    help="Repeatable; or all [default: float32 and int8 of both engines].",
)
@click.option("--list-formats", is_flag=True, help="Say what each format is for, and stop.")
@click.option(
    "--keep-float",
    multiple=True,
    metavar="LAYER",
    help="Leave this convolution in float in integer formats; repeatable.",
)
@click.option("--sensitivity", is_flag=True, help="Say what int8 costs in each layer, and write nothing.")
@click.option(
    "--allow-degraded",
    is_flag=True,
    help="Write artifacts that miss their tolerance too; manifest and card say so, and devices refuse them.",
)
@click.option("--overwrite", is_flag=True, help="Replace an existing bundle.")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest instead of a table.")
def command(
    run: Path | None,
    out: Path | None,
    names: tuple[str, ...],
    list_formats: bool,
    keep_float: tuple[str, ...],
    sensitivity: bool,
    allow_degraded: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Convert RUN to model files for devices, prove each against Keras, and write a bundle.

    An artifact that misses its tolerance is exit code 4, and nothing is written.
    """
    if list_formats:
        _list_formats(as_json)
        return
    if run is None or (out is None and not sensitivity):
        raise click.UsageError("Missing argument 'RUN' or option '--out'.")
    formats = _chosen(names)
    record = load_record(run)
    if sensitivity:
        _say_losses(run, record.label.unit, as_json)
        return
    assert out is not None
    check_output(out, overwrite=overwrite, marker=MANIFEST_FILE)
    start_tensorflow()
    from analyte.export.bundle_writer import write_bundle

    done: list[ExportedArtifact] = []

    def on_done(artifact: ExportedArtifact) -> None:
        done.append(artifact)
        if sys.stderr.isatty():
            said = f"converted and compared in {artifact.seconds:.0f} s ({len(done)}/{len(formats)})"
            click.echo(f"{artifact.format.name}: {said}", err=True)

    name = out.absolute().name.removesuffix(".analyte")
    try:
        with staged_folder(out, overwrite=overwrite, marker=MANIFEST_FILE) as folder:
            manifest = write_bundle(
                run,
                folder,
                name,
                formats,
                keep_float=keep_float,
                allow_degraded=allow_degraded,
                on_done=on_done,
            )
    except ParityError:
        if not as_json:
            _say(run, done, record.label.unit)
        raise
    if not as_json:
        _say(run, done, record.label.unit)
    click.echo(manifest.model_dump_json(indent=2) if as_json else f"bundle: {out}")
    degraded = [artifact.format.name for artifact in done if artifact.problems]
    if degraded:
        click.echo(
            f"analyte export: warning: {', '.join(degraded)} misses its tolerance; devices refuse it",
            err=True,
        )


def _chosen(names: Sequence[str]) -> list[Format]:
    unknown = [name for name in names if name not in FORMATS and name != _ALL]
    if unknown:
        expected = ", ".join((*FORMATS, _ALL))
        raise click.BadParameter(f"{unknown[0]!r} is none of {expected}", param_hint="--format")
    if _ALL in names:
        return list(FORMATS.values())
    if names:
        return [FORMATS[name] for name in dict.fromkeys(names)]
    return [entry for entry in FORMATS.values() if entry.standard]


def _list_formats(as_json: bool) -> None:
    if as_json:
        rows = [
            {
                "name": entry.name,
                "engine": entry.engine,
                "precision": entry.precision,
                "standard": entry.standard,
                "help": entry.help,
            }
            for entry in FORMATS.values()
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    width = max(map(len, FORMATS))
    for entry in FORMATS.values():
        click.echo(f"{'*' if entry.standard else ' '} {entry.name:{width}}  {entry.help}")
    click.echo("* exported where no --format is given")


def _say_losses(run: Path, unit: str, as_json: bool) -> None:
    start_tensorflow()
    from analyte.export.bundle_writer import losses_of
    from analyte.export.tables import loss_table

    losses = losses_of(run)
    if as_json:
        click.echo(
            json.dumps({"unit": unit, "layers": [dataclasses.asdict(loss) for loss in losses]}, indent=2)
        )
        return
    click.echo(loss_table(losses, unit))


def _say(run: Path, done: Sequence[ExportedArtifact], unit: str) -> None:
    """Print how each artifact did; of those that miss, where, and which layers it may be."""
    from analyte.export.tables import export_table

    click.echo(export_table(done, unit))
    _explain_misses(run, [artifact for artifact in done if artifact.problems], unit)


def _explain_misses(run: Path, missed: Sequence[ExportedArtifact], unit: str) -> None:
    """Print where each artifact deviates most, and which layers lose most in integers."""
    if not missed:
        return
    from analyte.export.bundle_writer import losses_of
    from analyte.export.ladder import QUANTIZED
    from analyte.export.tables import loss_table, worst_table

    for artifact in missed:
        click.echo(f"\n{worst_table(artifact, unit)}")
    if any(artifact.format.precision in QUANTIZED for artifact in missed):
        click.echo(f"\n{loss_table(losses_of(run), unit)}")
