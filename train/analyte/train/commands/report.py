"""``analyte report``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import click

from analyte.contract.labels_file import load_dataset
from analyte.contract.output import check_output
from analyte.train.tensorflow_start import start_tensorflow


@click.command("report")
@click.argument("run", type=click.Path(readable=False, path_type=Path))
@click.argument("dataset", type=click.Path(readable=False, path_type=Path))
@click.option(
    "-o", "--out", required=True, type=click.Path(readable=False, path_type=Path), help="HTML file to write."
)
@click.option(
    "--split",
    type=click.Choice(("val", "test")),
    default="val",
    show_default=True,
    help="Samples to show: those that chose the epoch, or those that training never saw.",
)
@click.option("--unit", help="Unit of the values, where no dataset.toml states it.")
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
def command(
    run: Path,
    dataset: Path,
    out: Path,
    split: Literal["val", "test"],
    unit: str | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Write one HTML file about RUN that a lab can file and print, measured on DATASET.

    It says whether the network beats the calibration curve, and holds errors, figures of merit, intervals,
    the rotation curve and the worst pictures. Choose between models by the validation split only: a test
    split that was used to choose measures nothing any more.
    """
    check_output(out, overwrite=overwrite)
    data = load_dataset(dataset, unit=unit)
    start_tensorflow()
    from analyte.train.report.from_run import inputs_of_run
    from analyte.train.report.write import write_report

    inputs = inputs_of_run(run, data, split)
    if inputs.left_out:
        click.echo(
            f"analyte report: warning: left out {inputs.left_out} test samples that training saw", err=True
        )
    verdict = write_report(inputs, out)
    if as_json:
        found = verdict.comparison
        click.echo(
            json.dumps(
                {
                    "report": str(out),
                    "dataset": inputs.dataset,
                    "split": inputs.split,
                    "n": len(inputs.readings.true),
                    "unit": inputs.record.label.unit,
                    "mae": verdict.network_mae,
                    "mae_baseline": verdict.curve_mae,
                    "difference": found.difference,
                    "lower": found.lower,
                    "upper": found.upper,
                    "confidence": found.confidence,
                    "groups": found.groups,
                    "verdict": found.verdict,
                },
                indent=2,
                allow_nan=False,
            )
        )
        return
    click.echo(f"{verdict.sentence}\nreport: {out}")
