"""``analyte export``."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from analyte.contract.errors import ParityError
from analyte.contract.manifest import MANIFEST_FILE
from analyte.contract.output import check_output, staged_folder
from analyte.contract.run import RunRecord, load_record, load_samples
from analyte.export.coverage import levels_missing
from analyte.export.formats import FORMATS, Format
from analyte.export.tensorflow_start import start_tensorflow

if TYPE_CHECKING:
    from analyte.export.bundle_writer import ExportedArtifact

_ALL = "all"


@click.command("export")
@click.argument("run", type=click.Path(readable=False, path_type=Path), required=False)
@click.option(
    "-o",
    "--out",
    type=click.Path(readable=False, path_type=Path),
    help="Bundle folder to write, NAME.analyte.",
)
@click.option(
    "--format",
    "names",
    multiple=True,
    metavar="FORMAT",
    help="Repeatable; or all [default: float32 and int8 of both engines].",
)
@click.option(
    "--model",
    type=click.Path(readable=False, path_type=Path),
    help="A Keras model that analyte did not train, in place of RUN.",
)
@click.option(
    "--spec",
    type=click.Path(readable=False, path_type=Path),
    help="What --model takes and gives; see docs/bring-your-own.md.",
)
@click.option(
    "--calibration",
    type=click.Path(readable=False, path_type=Path),
    help="Labelled pictures for --model: a dataset.",
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
    model: Path | None,
    spec: Path | None,
    calibration: Path | None,
    list_formats: bool,
    keep_float: tuple[str, ...],
    sensitivity: bool,
    allow_degraded: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Convert RUN to model files for devices, prove each against Keras, and write a bundle.

    In place of RUN: --model any.keras --spec spec.toml --calibration DATASET.
    An artifact that misses its tolerance is exit code 4, and nothing is written.
    """
    if list_formats:
        _list_formats(as_json)
        return
    origin = _origin(run, model, spec, calibration)
    if out is None and not sensitivity:
        raise click.UsageError("Missing option '-o' / '--out'.")
    if out is not None and sensitivity:
        raise click.UsageError("--sensitivity writes nothing: leave --out away.")
    if sensitivity and (names or keep_float or allow_degraded or overwrite):
        raise click.UsageError("--sensitivity goes with RUN or --model and --json only.")
    formats = _chosen(names)
    if out is not None:
        check_output(out, overwrite=overwrite, marker=MANIFEST_FILE)
    with origin as source:
        record = load_record(source)
        if out is None:
            _say_losses(source, record.label.unit, as_json)
            return
        job = _Job(source, out, formats, keep_float, allow_degraded, overwrite)
        _write(job, record, as_json)


@dataclass(frozen=True, slots=True)
class _Job:
    """What is to be written where."""

    run: Path
    out: Path
    formats: Sequence[Format]
    keep_float: Sequence[str]
    allow_degraded: bool
    overwrite: bool


def _origin(
    run: Path | None, model: Path | None, spec: Path | None, calibration: Path | None
) -> contextlib.AbstractContextManager[Path]:
    """Return what gives the run folder: the one that is there, or one made for the time being."""
    if model is None:
        if spec is not None or calibration is not None:
            raise click.UsageError("--spec and --calibration go with --model.")
        if run is None:
            raise click.UsageError("Missing argument 'RUN', or option '--model'.")
        return contextlib.nullcontext(run)
    if run is not None:
        raise click.UsageError("Give either RUN or --model.")
    if spec is None or calibration is None:
        raise click.UsageError("--model needs --spec and --calibration.")
    return _adopted(model, spec, calibration)


@contextlib.contextmanager
def _adopted(model: Path, spec: Path, calibration: Path) -> Iterator[Path]:
    from analyte.export.adoption.spec import load_spec

    stated = load_spec(spec)
    start_tensorflow()
    from analyte.export.adoption.run import adopt, warnings_of

    with tempfile.TemporaryDirectory(prefix="analyte-adopted-") as folder:
        record = adopt(model, stated, calibration, Path(folder))
        for warning in warnings_of(record):
            click.echo(f"analyte export: warning: {warning}", err=True)
        yield Path(folder)


def _write(job: _Job, record: RunRecord, as_json: bool) -> None:
    """Write the bundle and print how each artifact did. Raises: ParityError after the table."""
    start_tensorflow()
    from analyte.export.bundle_writer import write_bundle

    for gap in levels_missing(load_samples(job.run), record.label):
        click.echo(f"analyte export: warning: {gap}", err=True)
    done: list[ExportedArtifact] = []

    def on_done(artifact: ExportedArtifact) -> None:
        done.append(artifact)
        if sys.stderr.isatty():
            said = f"converted and compared in {artifact.seconds:.0f} s ({len(done)}/{len(job.formats)})"
            click.echo(f"{artifact.format.name}: {said}", err=True)

    try:
        with staged_folder(job.out, overwrite=job.overwrite, marker=MANIFEST_FILE) as folder:
            manifest = write_bundle(
                job.run,
                folder,
                job.out.absolute().name.removesuffix(".analyte"),
                job.formats,
                keep_float=job.keep_float,
                allow_degraded=job.allow_degraded,
                on_done=on_done,
            )
    except ParityError:
        if not as_json:
            _say(job.run, done, record.label.unit)
        raise
    if not as_json:
        _say(job.run, done, record.label.unit)
    click.echo(manifest.model_dump_json(indent=2) if as_json else f"bundle: {job.out}")
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
