"""``analyte parity``."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click

from analyte.contract.bundle import open_bundle
from analyte.contract.errors import ParityError
from analyte.export.tensorflow_start import start_tensorflow


@click.command("parity")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    help="Keras model to compare with [default: the bundle's own].",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def command(bundle: Path, model: Path | None, as_json: bool) -> None:
    """Run Keras again on the golden set of BUNDLE and compare every artifact with it.

    Exit code 4 when an artifact deviates by more than its tolerance.
    """
    opened = open_bundle(bundle)
    start_tensorflow()
    from analyte.export.parity import check_parity
    from analyte.runtime.tables import deviation_table

    parity = check_parity(opened, model)
    if as_json:
        rows = [dataclasses.asdict(result) for result in parity.results]
        click.echo(
            json.dumps(
                {"passed": parity.passed, "golden_deviation": parity.golden_deviation, "results": rows},
                indent=2,
                allow_nan=False,
            )
        )
    else:
        unit = opened.manifest.label.unit
        click.echo(deviation_table(parity.results, unit))
        click.echo(f"Keras now and in the golden set differ by at most {parity.golden_deviation:.2g} {unit}.")
    if not parity.passed:
        failed = sorted({result.artifact for result in parity.results if not result.passed})
        failed += [] if parity.golden_passed else ["the golden set"]
        raise ParityError(f"{', '.join(failed)} deviates by more than its tolerance", where=bundle)
