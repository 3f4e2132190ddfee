"""``analyte train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from analyte.contract.dataset import Dataset, duplicates_across_splits
from analyte.contract.errors import DatasetError
from analyte.contract.labels_file import load_dataset
from analyte.contract.output import check_output, staged_folder
from analyte.contract.run import RECORD_FILE, RunRecord
from analyte.contract.splits import assign_splits
from analyte.train.tensorflow_start import start_tensorflow

if TYPE_CHECKING:
    from analyte.train.recipes.recipe import Recipe


@click.command("train")
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="Run folder to write.")
@click.option("--recipe", default="isotropic", show_default=True, help="Network architecture.")
@click.option("--size", type=click.IntRange(min=8), help="Edge of the network's picture, px [default: auto].")
@click.option("--epochs", type=click.IntRange(min=1), default=60, show_default=True)
@click.option(
    "--patience",
    type=click.IntRange(min=1),
    default=25,
    show_default=True,
    help="Epochs without a better validation error before stopping.",
)
@click.option("--batch-size", type=click.IntRange(min=1), help="Samples per step [default: auto].")
@click.option("--learning-rate", type=click.FloatRange(min=0, min_open=True), default=4e-3, show_default=True)
@click.option(
    "--augment/--no-augment",
    default=True,
    show_default=True,
    help="Vary position, light and noise of the training pictures.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--unit", help="Unit of the values, where no dataset.toml states it.")
@click.option("--analyte", help="What is measured, where no dataset.toml states it.")
@click.option("--overwrite", is_flag=True, help="Replace an existing run.")
@click.option("--json", "as_json", is_flag=True, help="Print run.json instead of a summary.")
def command(
    dataset: Path,
    out: Path,
    recipe: str,
    size: int | None,
    epochs: int,
    patience: int,
    batch_size: int | None,
    learning_rate: float,
    augment: bool,
    seed: int,
    unit: str | None,
    analyte: str | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Fit a regressor to the photographs of DATASET and write a run folder.

    DATASET is a folder with labels.csv and dataset.toml, a CSV file, or a folder of sub-folders each
    named by a value.
    Ctrl-C stops early and keeps the best epoch (exit code 130).
    """
    check_output(out, overwrite=overwrite, marker=RECORD_FILE)
    data = assign_splits(load_dataset(dataset, unit=unit, analyte=analyte), seed=seed)
    _warn_of_duplicates(data)
    _warn_of_what_is_not_used(data)
    # Heavy imports only once the arguments and the labels are known to be good.
    start_tensorflow()
    from analyte.train.fitting import FitSettings
    from analyte.train.recipes.registry import RECIPES
    from analyte.train.training import TrainSettings, train

    if recipe not in RECIPES:
        raise click.BadParameter(f"{recipe!r} is none of {', '.join(RECIPES)}", param_hint="--recipe")
    _check_recipe(data, RECIPES[recipe])
    settings = TrainSettings(
        recipe=RECIPES[recipe],
        fit=FitSettings(
            epochs=epochs, patience=patience, batch_size=batch_size, learning_rate=learning_rate, seed=seed
        ),
        size=size,
        augment=augment,
    )
    with staged_folder(out, overwrite=overwrite, marker=RECORD_FILE) as folder:
        record = train(data, settings, folder)
    click.echo(record.model_dump_json(indent=2) if as_json else _summary(record, out))
    if record.interrupted:
        raise click.exceptions.Exit(130)


def _check_recipe(data: Dataset, recipe: Recipe) -> None:
    """Refuse a recipe that cannot see what the data are about. Raises: DatasetError."""
    if recipe.invariant and not data.spec.rotation_invariant:
        raise DatasetError(
            f"recipe {recipe.name!r} gives one value for all turns of a picture, and here turning changes it",
            where=data.root,
            expected="rotation_invariant = true",
            got="rotation_invariant = false",
            fix="Choose a recipe that is not invariant",
        )


def _warn_of_what_is_not_used(data: Dataset) -> None:
    ignored = (*data.spec.covariates, *data.spec.categorical_covariates)
    if ignored:
        click.echo(f"analyte: warning: covariates are not used yet: {', '.join(ignored)}", err=True)
    if len(data.samples) > 1 and all(sample.group == sample.id for sample in data.samples):
        click.echo(
            "analyte: warning: no two samples share a group, so pictures of one specimen, if there are any, "
            "may stand in training and test alike and errors look too small; a group column prevents it",
            err=True,
        )


def _warn_of_duplicates(data: Dataset) -> None:
    pairs = duplicates_across_splits(data)
    if not pairs:
        return
    first, second = pairs[0]
    click.echo(
        f"analyte: warning: {len(pairs)} pictures stand in two splits, so errors will look too small; "
        f"for example {first.id} ({first.split}) and {second.id} ({second.split})",
        err=True,
    )


def _summary(record: RunRecord, out: Path) -> str:
    unit = record.label.unit
    network, curve = record.validation_mae["keras"], record.validation_mae["baseline"]
    verdict = (
        f"beats the calibration curve by {100 * (1 - network / curve):.0f} %"
        if network < curve
        else "does NOT beat the calibration curve"
    )
    stopped = "stopped by Ctrl-C" if record.interrupted else "done"
    return (
        f"{stopped}: {record.recipe}, {record.parameters} parameters, {record.preprocessing.size} px, "
        f"best of {record.epochs} epochs: {record.best_epoch}, {record.seconds:.0f} s\n"
        f"validation MAE: network {network:.4g} {unit}, baseline {curve:.4g} {unit}; the network {verdict}\n"
        f"run: {out}"
    )
