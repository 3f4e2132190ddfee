"""``analyte evaluate``."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click

from analyte.contract.labels_file import load_dataset
from analyte.contract.output import check_output
from analyte.contract.output_file import staged_file
from analyte.export.tensorflow_start import start_tensorflow


@click.command("evaluate")
@click.argument("subject", metavar="RUN|BUNDLE", type=click.Path(readable=False, path_type=Path))
@click.argument("dataset", type=click.Path(readable=False, path_type=Path))
@click.option("--unit", help="Unit of the values, where no dataset.toml states it.")
@click.option(
    "--predictions",
    type=click.Path(readable=False, path_type=Path, dir_okay=False),
    metavar="FILE.csv",
    help="Also write what each predictor said of each sample [default: not written].",
)
@click.option("--overwrite", is_flag=True, help="Replace FILE.csv.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def command(
    subject: Path, dataset: Path, unit: str | None, predictions: Path | None, overwrite: bool, as_json: bool
) -> None:
    """Measure the errors of RUN or BUNDLE on DATASET: Keras, the baseline and every artifact.

    Says whether the network beats the baseline, with 95 % confidence by group.

    Uses the test split where the dataset marks one, else all samples; never a sample whose pictures were seen
    in training or validation.

    coverage is the share of true values inside the interval, by sample; by group is the mean of the groups,
    each counted once. FILE.csv has the columns predictor, sample, group, session, true, value, lower, upper
    and refused (why a device would refuse it).
    """
    if predictions is not None:
        check_output(predictions, overwrite=overwrite)
    elif overwrite:
        raise click.UsageError("--overwrite needs --predictions FILE.csv")
    data = load_dataset(dataset, unit=unit)
    start_tensorflow()
    from analyte.export.evaluation import evaluate, open_subject, write_predictions
    from analyte.export.tables import evaluation_table

    evaluation = evaluate(open_subject(subject), data)
    if predictions is not None:
        with staged_file(predictions, overwrite=overwrite) as file:
            write_predictions(evaluation.predictions, file)
    if evaluation.seen and evaluation.split == "test" and data.subset("test").samples:
        click.echo(
            f"analyte evaluate: warning: left out {evaluation.seen} test samples that training saw", err=True
        )
    if as_json:
        rows = [
            {
                "name": row.name,
                **dataclasses.asdict(row.metrics),
                "coverage": row.coverage,
                "group_coverage": row.group_coverage and dataclasses.asdict(row.group_coverage),
                "foreign": row.foreign,
                "refused": row.refused,
            }
            for row in evaluation.results
        ]
        found = evaluation.verdict.comparison
        click.echo(
            json.dumps(
                {
                    "dataset": evaluation.dataset,
                    "split": evaluation.split,
                    "seen": evaluation.seen,
                    "unit": evaluation.unit,
                    "results": rows,
                    "comparison": {
                        "first": "keras",
                        "second": "baseline",
                        "difference": found.difference,
                        "lower": found.lower,
                        "upper": found.upper,
                        "confidence": found.confidence,
                        "groups": found.groups,
                        "verdict": found.verdict,
                        "sentence": evaluation.verdict.sentence,
                    },
                },
                indent=2,
                allow_nan=False,
            )
        )
        return
    click.echo(evaluation_table(evaluation))
