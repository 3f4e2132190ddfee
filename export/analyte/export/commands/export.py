"""``analyte export``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from analyte.contract.manifest import MANIFEST_FILE
from analyte.contract.output import check_output, staged_folder
from analyte.contract.run import load_record
from analyte.export.tensorflow_start import start_tensorflow


@click.command("export")
@click.argument("run", type=click.Path(path_type=Path), required=False)
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Bundle folder to write, NAME.analyte.")
@click.option("--format", "names", multiple=True, metavar="FORMAT", help="Repeatable [default: all].")
@click.option("--list-formats", is_flag=True, help="Say what each format is for, and stop.")
@click.option("--overwrite", is_flag=True, help="Replace an existing bundle.")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest instead of a table.")
def command(
    run: Path | None,
    out: Path | None,
    names: tuple[str, ...],
    list_formats: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Convert RUN to model files for devices, prove each against Keras, and write a bundle.

    An artifact that misses its tolerance is exit code 4, and nothing is written.
    """
    if not list_formats:
        if run is None or out is None:
            raise click.UsageError("Missing argument 'RUN' or option '--out'.")
        check_output(out, overwrite=overwrite, marker=MANIFEST_FILE)
        load_record(run)
    start_tensorflow()
    from analyte.export.bundle_writer import ExportedArtifact, write_bundle
    from analyte.export.formats import FORMATS
    from analyte.export.tables import export_table

    if list_formats:
        width = max(map(len, FORMATS))
        for entry in FORMATS.values():
            click.echo(f"{entry.name:{width}}  {entry.help}")
        return
    assert run is not None
    assert out is not None
    unknown = [name for name in names if name not in FORMATS]
    if unknown:
        raise click.BadParameter(f"{unknown[0]!r} is none of {', '.join(FORMATS)}", param_hint="--format")
    formats = [FORMATS[name] for name in dict.fromkeys(names or FORMATS)]
    done: list[ExportedArtifact] = []

    def on_done(artifact: ExportedArtifact) -> None:
        done.append(artifact)
        if sys.stderr.isatty():
            click.echo(
                f"{artifact.format.name}: converted and compared ({len(done)}/{len(formats)})", err=True
            )

    name = out.absolute().name.removesuffix(".analyte")
    try:
        with staged_folder(out, overwrite=overwrite, marker=MANIFEST_FILE) as folder:
            manifest = write_bundle(run, folder, name, formats, on_done=on_done)
    finally:
        # Also on a miss: the table shows which artifact, and by how much.
        if done and not as_json:
            click.echo(export_table(done, load_record(run).label.unit))
    click.echo(manifest.model_dump_json(indent=2) if as_json else f"bundle: {out}")
