"""``analyte sweep``."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tqdm import tqdm

from analyte.contract.dataset import Dataset
from analyte.contract.errors import SettingsError
from analyte.contract.labels_file import load_dataset
from analyte.contract.run import load_record
from analyte.contract.splits import SPLIT_BY, SplitBy, assign_splits
from analyte.contract.versions import installed_versions
from analyte.train.commands.train import command as train_command
from analyte.train.commands.train import warn_of_data

if TYPE_CHECKING:
    from analyte.train.sweep.plan import SweepFolder, SweepPlan
    from analyte.train.sweep.search_space import Value
    from analyte.train.sweep.study import SweepRecord
    from analyte.train.sweep.trial import TrialResult

_FOLDS = next(parameter for parameter in train_command.params if parameter.name == "folds")
_SHOWN = 4
"""Reasons of trials that cannot run that are said."""


@click.command("sweep")
@click.argument("dataset", type=click.Path(readable=False, path_type=Path))
@click.option(
    "-o", "--out", required=True, type=click.Path(readable=False, path_type=Path), help="Folder to write."
)
@click.option(
    "--space",
    type=click.Path(readable=False, path_type=Path),
    metavar="FILE",
    help="TOML: options of analyte train, each a value, a list, or {low, high, log} [default: built in].",
)
@click.option(
    "--trials", "-n", type=click.IntRange(min=1), default=16, show_default=True, help="Trainings in all."
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Trials at a time, each on one core [default: as many as there are cores].",
)
@click.option(
    "--folds", type=_FOLDS.type, help="Compare by cross-validation instead of by the validation split."
)
@click.option(
    "--split-by",
    type=click.Choice(SPLIT_BY),
    default="group",
    show_default=True,
    help="As for analyte train.",
)
@click.option(
    "--ray-address",
    metavar="HOST:PORT|auto",
    help="Cluster to run on, of which this machine is a node; all nodes must see DATASET and OUT at the "
    "same paths [default: this machine alone].",
)
@click.option("--resume", is_flag=True, help="Go on with a sweep that was stopped; finished trials are kept.")
@click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="Of draw and trainings."
)
@click.option("--unit", help="Unit of the values, where no dataset.toml states it.")
@click.option("--analyte", help="What is measured, where no dataset.toml states it.")
@click.option("--json", "as_json", is_flag=True, help="Print sweep.json instead of a table.")
def command(
    dataset: Path,
    out: Path,
    space: Path | None,
    trials: int,
    workers: int | None,
    folds: int | str | None,
    split_by: SplitBy,
    ray_address: str | None,
    resume: bool,
    seed: int,
    unit: str | None,
    analyte: str | None,
    as_json: bool,
) -> None:
    """Search for the settings that give the smallest validation error on DATASET.

    Every trial is a run folder in OUT/trials; the best is copied to OUT/best, ready for analyte export.
    Test data are not looked at. A trial that fails is reported and does not stop the rest; Ctrl-C, or a
    crash, loses only the trials that are running: --resume goes on.
    """
    from analyte.train.sweep.plan import SweepFolder, SweepPlan
    from analyte.train.sweep.ray_cluster import prepare_ray
    from analyte.train.sweep.search_space import DEFAULT_SPACE, draw_trials, load_space, train_options

    options = train_options()
    # Before the pictures, which are hashed, are read.
    chosen = load_space(space or DEFAULT_SPACE, options)
    data = assign_splits(load_dataset(dataset, unit=unit, analyte=analyte), seed=seed, by=split_by)
    drawn = tuple(draw_trials(chosen, options, trials, seed))
    _check_trials(data, drawn, folds)
    warn_of_data(data, dataset)
    plan = SweepPlan(
        analyte_version=installed_versions(())["analyte"],
        dataset_sha256=data.digest(),
        space=chosen.model_dump(),
        seed=seed,
        folds=folds,
        trials=drawn,
    )
    if len(plan.trials) < trials:
        _say(f"the space has {len(plan.trials)} different trials only, not {trials}")
    prepare_ray(ray_address)
    folder = SweepFolder(out)
    folder.check(plan) if resume else folder.start(plan)
    if ray_address is None:
        workers = min(workers or len(os.sched_getaffinity(0)), len(plan.trials))
    with folder.locked():
        always = _always(dataset, {"--seed": seed, "--folds": folds, "--split-by": split_by, "--unit": unit,
                                   "--analyte": analyte})  # fmt: skip
        record = _sweep(folder, plan, data, chosen.searched, always, workers, ray_address)
    click.echo(record.model_dump_json(indent=2) if as_json else _summary(record, folder, dataset, always))


def _check_trials(data: Dataset, trials: Sequence[Mapping[str, Value]], folds: int | str | None) -> None:
    """Say which trials cannot run, and why. Raises: SettingsError where none can."""
    from analyte.train.option_checks import OPTIONS_CHECKED, check_options

    problems: dict[str, SettingsError] = {}
    failing = 0
    for settings in trials:
        given: dict[str, Any] = {
            name: value if name == "size" else str(value)
            for name, value in settings.items()
            if name in OPTIONS_CHECKED
        }
        if "weights" in given:
            given["weights"] = Path(given["weights"])
        try:
            check_options(data, **given, folds=folds)
        except SettingsError as error:
            problems[error.line()] = error
            failing += 1
    if failing == len(trials):
        raise next(iter(problems.values()))
    if failing:
        listed = "; ".join(list(problems)[:_SHOWN])
        _say(f"warning: {failing} of {len(trials)} trials cannot run, for these settings exclude each other: "
             f"{listed}")  # fmt: skip


def _sweep(
    folder: SweepFolder,
    plan: SweepPlan,
    data: Dataset,
    searched: tuple[str, ...],
    always: list[str],
    workers: int | None,
    ray_address: str | None,
) -> SweepRecord:
    from analyte.train.sweep.outcome import PICTURE_NAME, draw_outcome, write_outcome
    from analyte.train.sweep.ray_cluster import ray_cluster
    from analyte.train.sweep.search_space import arguments, train_options
    from analyte.train.sweep.study import Subject, run_sweep

    options = train_options()
    subject = Subject(data.spec.name, data.spec.analyte, data.spec.unit, searched, workers)
    bar = tqdm(total=len(plan.trials), unit="trial", desc="sweep", file=sys.stderr, disable=None)

    def run(numbers: list[int], ended: Callable[[int, str | None], None]) -> None:
        bar.update(len(plan.trials) - len(numbers))
        todo = {
            number: [*always, "-o", str(folder.trial(number)), *arguments(plan.trials[number - 1], options)]
            for number in numbers
        }
        with ray_cluster(ray_address, workers, _say):
            # Imports Ray, whose environment has to be set first.
            from analyte.train.sweep.tune_trials import run_trials

            run_trials(todo, workers=workers, state=folder.path / ".tune", on_end=ended, say=_say)

    best: list[float] = []

    def shown(trial: TrialResult) -> None:
        if trial.error is None:
            bar.write(f"trial {trial.number} failed: {trial.reason}", file=sys.stderr)
        else:
            best[:] = [min([*best, trial.error])]
            settings = ", ".join(f"{name} {trial.settings[name]}" for name in searched)
            bar.write(
                f"trial {trial.number}: MAE {trial.error:.4g} {subject.unit} ({settings})", file=sys.stderr
            )
            bar.set_postfix_str(f"best MAE {best[0]:.4g} {subject.unit}")
        bar.update()

    try:
        record = run_sweep(
            folder, plan, subject, run, shown, lambda record: write_outcome(record, folder.path)
        )
    except KeyboardInterrupt:
        _say(f"finished trials are in {folder.path}; the same command with --resume goes on")
        raise
    finally:
        bar.close()
    draw_outcome(record, folder.path / PICTURE_NAME)
    return record


def _always(dataset: Path, given: Mapping[str, object]) -> list[str]:
    """Return the arguments of ``analyte train`` that are the same for all trials."""
    pairs = [[name, str(value)] for name, value in given.items() if value is not None]
    return [str(dataset.absolute()), *(word for pair in pairs for word in pair)]


def _summary(record: SweepRecord, folder: SweepFolder, dataset: Path, always: list[str]) -> str:
    from analyte.train.sweep.outcome import PICTURE_NAME, trials_table
    from analyte.train.sweep.search_space import arguments, train_options

    best = record.trials[0]
    again = shlex.join(
        [
            "analyte",
            "train",
            str(dataset),
            *always[1:],
            "-o",
            "RUN",
            *arguments(best.settings, train_options()),
        ]
    )
    lines = [trials_table(record), ""]
    lines += [f"trial {trial.number} failed: {trial.reason}" for trial in record.failed]
    if record.failed:
        lines.append(f"{len(record.failed)} of {len(record.trials)} trials failed")
    run = folder.path / str(record.best_run)
    count = len(record.trials) - len(record.failed)
    lines += [
        f"best: trial {best.number}, MAE {best.error:.4g} {record.unit} (calibration curve "
        f"{best.baseline:.4g}); chosen by it among {count}, it flatters",
        f"validation: {load_record(run).verdict}",
        f"run: {run}",
        f"picture: {folder.path / PICTURE_NAME}",
        f"the same again: {again}",
    ]
    return "\n".join(lines)


def _say(line: str) -> None:
    click.echo(f"analyte: {line}", err=True)
