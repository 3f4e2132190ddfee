"""``analyte train``."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from analyte.contract.dataset import Dataset, duplicates_across_splits
from analyte.contract.errors import SettingsError
from analyte.contract.labels_file import SPEC_FILE, load_dataset
from analyte.contract.numbers import coverage_percent
from analyte.contract.output import check_output, staged_folder
from analyte.contract.run import RECORD_FILE, RunRecord
from analyte.contract.splits import SPLIT_BY, SplitBy, assign_splits
from analyte.train.local_workers import local_workers
from analyte.train.tensorflow_start import start_team


class _Folds(click.ParamType):  # type: ignore[type-arg] # generic in click 8.3 only
    """A number of folds, or the word session."""

    name = "K|session"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return an int, or the word."""
        if value == "session" or isinstance(value, int):
            return value
        if not value.isdecimal() or int(value) < 2:
            self.fail(f"expected a whole number of at least 2, or session; got {value!r}", param, ctx)
        return int(value)


class _Rate(click.FloatRange):
    """A range that ``nan``, which is neither below nor above a limit, does not pass."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a float in the range."""
        rate = super().convert(value, param, ctx)
        if math.isnan(rate):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return rate


@click.command("train")
@click.argument("dataset", type=click.Path(readable=False, path_type=Path))
@click.option(
    "-o", "--out", required=True, type=click.Path(readable=False, path_type=Path), help="Run folder to write."
)
@click.option(
    "--recipe", default="isotropic", show_default=True, help="Network architecture; see analyte recipes."
)
@click.option(
    "--size", type=click.IntRange(8, 1024), help="Edge of the network's picture, px [default: auto]."
)
@click.option("--colour", help="Colour planes joined by +, such as rgb+surround [default: the recipe's].")
@click.option(
    "--reference",
    metavar="VIEW|none",
    help="View that absorbance and ratio are taken against [default: a view named reference].",
)
@click.option(
    "--aggregate",
    default="concat",
    show_default=True,
    help="How several views become one sample: concat, mean, max, lstm, attention, montage.",
)
@click.option("--head", help="Head of the network [default: the recipe's].")
@click.option("--loss", help="Loss that the head is fitted by [default: the head's own].")
@click.option(
    "--transform",
    default="scale",
    show_default=True,
    help="Scale on which the label is learned: scale (range to -1..1), log, none.",
)
@click.option(
    "--augment",
    default="lab",
    show_default=True,
    help="How training pictures are varied: lab (fixed rig), field (phone in hand), none.",
)
@click.option(
    "--weights",
    type=click.Path(exists=True, dir_okay=False, readable=False, path_type=Path),
    help="File of weights that a transfer recipe starts from [default: none; nothing is downloaded].",
)
@click.option(
    "--folds",
    type=_Folds(),
    help="Cross-validate by group on K folds, or hold out every session once, and calibrate on it.",
)
@click.option("--epochs", type=click.IntRange(min=1), default=60, show_default=True, help="Most epochs.")
@click.option(
    "--patience",
    type=click.IntRange(min=1),
    help="Epochs without a better validation error before stopping [default: half of the epochs].",
)
@click.option("--batch-size", type=click.IntRange(1, 4096), help="Samples per step [default: auto].")
@click.option(
    "--learning-rate",
    type=_Rate(min=0, min_open=True, max=1),
    help="Peak rate [default: the recipe's].",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Processes that share each batch (a divisor of --batch-size), on this machine; on several machines "
    "set TF_CONFIG instead.",
)
@click.option(
    "--split-by",
    type=click.Choice(SPLIT_BY),
    default="group",
    show_default=True,
    help="What stays whole when no split column says what is for the test: specimens, or whole sessions.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**31 - 1),
    default=0,
    show_default=True,
    help="Decides weights, order, augmentation and splits; the same gives the same run.",
)
@click.option("--unit", help="Unit of the values, where no dataset.toml states it.")
@click.option("--analyte", help="What is measured, where no dataset.toml states it.")
@click.option("--overwrite", is_flag=True, help="Replace an existing run.")
@click.option("--json", "as_json", is_flag=True, help="Print run.json instead of a summary.")
def command(
    dataset: Path,
    out: Path,
    unit: str | None,
    analyte: str | None,
    overwrite: bool,
    as_json: bool,
    workers: int,
    split_by: SplitBy,
    **options: Any,
) -> None:
    """Fit a regressor to the photographs of DATASET and write a run folder.

    DATASET is a folder with labels.csv and dataset.toml, a CSV file, or a folder of sub-folders each
    named by a value.
    Ctrl-C stops early and keeps the best epoch (exit code 130).
    """
    check_output(out, overwrite=overwrite, marker=RECORD_FILE)
    data = load_dataset(dataset, unit=unit, analyte=analyte)
    data = assign_splits(data, seed=options["seed"], by=split_by)
    warn_of_data(data, dataset)
    _check_options(data, options)
    with local_workers(workers) as others:
        # Heavy imports only once the arguments and the labels are known to be good.
        team = start_team()
        if workers not in (1, team.count):
            raise SettingsError(
                "is not what TF_CONFIG says", where="--workers", expected=team.count, got=workers
            )
        from analyte.train.run_writer import write_run
        from analyte.train.settings import train_settings
        from analyte.train.training import train

        settings = train_settings(data.spec, **options)
        settings = dataclasses.replace(settings, fit=dataclasses.replace(settings.fit, team=team))
        if team.index > 0:
            fitted = train(data, settings).fit
            click.echo(f"done: worker {team.index} of {team.count}; worker 0 writes the run")
            raise click.exceptions.Exit(130 if fitted.interrupted else 0)
        with staged_folder(out, overwrite=overwrite, marker=RECORD_FILE) as folder:
            trained = train(data, settings)
            others.dismiss()
            record = write_run(trained, folder)
    click.echo(record.model_dump_json(indent=2) if as_json else _summary(record, out))
    if record.interrupted:
        raise click.exceptions.Exit(130)


def _check_options(data: Dataset, options: Mapping[str, Any]) -> None:
    """Refuse what TensorFlow, which takes seconds to start, is not needed to refuse."""
    from analyte.train.option_checks import check_options, swapped_reference

    numbers = ("epochs", "patience", "batch_size", "learning_rate", "seed")
    check_options(data, **{name: value for name, value in options.items() if name not in numbers})
    blank = swapped_reference(data.spec, options["reference"])
    if blank is not None:
        click.echo(
            f"analyte: warning: --reference {options['reference']} takes colours relative to that view, "
            f"although there is a view named {blank!r}; leave --reference out unless that is meant",
            err=True,
        )


def warn_of_data(data: Dataset, path: Path) -> None:
    """Say on stderr what makes errors of a dataset, loaded from ``path`` and split, worth less."""
    _warn_of_labels(data, path)
    _warn_of_duplicates(data)
    _warn_of_groups(data)


def _warn_of_labels(data: Dataset, path: Path) -> None:
    """Say what the labels hold that training would take at its word, or not take at all."""
    from analyte.train.inspection.covariate_cells import check_cells
    from analyte.train.inspection.finding import listed
    from analyte.train.inspection.labels_table import filled_columns
    from analyte.train.inspection.unused_columns import described, unused_columns

    columns = filled_columns(path)
    if not (data.root / SPEC_FILE).is_file():
        low, high = data.spec.range
        whose = "those of the test left out" if "split" in columns else "those of the test among them"
        click.echo(
            f"analyte: note: without {SPEC_FILE} the range to report is that of the values, {whose}: {low:g} "
            f"to {high:g} {data.spec.unit}; state it there if the instrument is for another",
            err=True,
        )
    unused = unused_columns(columns, data.spec)
    if unused:
        names = listed(described(unused, data.spec), 8)
        click.echo(f"analyte: warning: columns of the labels that nothing reads: {names}", err=True)
    for found in check_cells(data):
        details = listed(found.details, 4, joint="; ")
        click.echo(f"analyte: {found.severity}: {found.what}: {details}. {found.fix}", err=True)


def _warn_of_groups(data: Dataset) -> None:
    if len(data.samples) > 1 and all(sample.group == sample.id for sample in data.samples):
        click.echo(
            "analyte: warning: no two samples share a group, so pictures of one specimen, if there are any, "
            "may stand in training and test alike and errors look too small; a group column prevents it",
            err=True,
        )
    trained, judged = (
        {s.session for s in data.samples if (s.split == "train") is own} for own in (True, False)
    )
    if shared := trained & judged:
        click.echo(
            f"analyte: warning: {len(shared)} of {len(judged)} sessions in validation and test also train, "
            "so errors and intervals say nothing of new ones; --split-by session holds whole sessions out",
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
    stopped = "stopped by Ctrl-C" if record.interrupted else "done"
    lines = [
        f"{stopped}: {record.recipe}, {record.parameters} parameters, {record.preprocessing.size} px, "
        f"best of {record.epochs} epochs: {record.best_epoch}, {record.seconds:.0f} s",
        f"validation, which also chose the epoch: {record.verdict}",
    ]
    if record.folds:
        total = sum(fold.n for fold in record.folds)
        means = [
            sum(fold.n * error for fold, error in zip(record.folds, errors, strict=True)) / total
            for errors in ([f.mae for f in record.folds], [f.mae_baseline for f in record.folds])
        ]
        worst = max(record.folds, key=lambda fold: fold.mae)
        lines.append(
            f"{len(record.folds)} folds: network {means[0]:.4g} {unit}, baseline {means[1]:.4g} {unit}; "
            f"worst fold {worst.mae:.4g} {unit} ({', '.join(worst.sessions[:3])})"
        )
    lines += _assured(record)
    return "\n".join([*lines, f"run: {out} (report.html is for people)"])


def _assured(record: RunRecord) -> list[str]:
    """Say what few sessions leave of the coverage; nothing where they leave all of it."""
    interval = record.interval
    if interval.guaranteed == interval.coverage:
        return []
    more = "" if record.folds else "; --folds session calibrates on all sessions"
    return [
        f"intervals: for {coverage_percent(interval.coverage)} of true values; calibrated on "
        f"{interval.groups} independent group{'s' * (interval.groups != 1)}, they assure "
        f"{coverage_percent(interval.guaranteed)} in a new one{more}"
    ]
