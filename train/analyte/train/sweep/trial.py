"""One trial: a training by ``analyte train``, in a process of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import click
from pydantic import BaseModel, ConfigDict

from analyte.contract.errors import AnalyteError
from analyte.contract.output import from_os_error
from analyte.contract.run import RunRecord
from analyte.train.sweep.one_core import one_core
from analyte.train.sweep.search_space import Value


class TrialResult(BaseModel):
    """What became of one trial. Errors are in the label's unit, on samples that were not trained on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    number: int
    """From 1."""
    status: Literal["finished", "failed", "not run"]
    settings: dict[str, Value]
    """By the names of the options of ``analyte train``."""
    error: float | None = None
    """Mean absolute error on the validation split, or over all folds: what trials are compared by."""
    baseline: float | None = None
    """The calibration curve's error on the same samples."""
    parameters: int | None = None
    """Number of weights."""
    seconds: float | None = None
    """Duration of the training, without the start of its process."""
    run: str | None = None
    """Run folder, relative to the folder of the sweep."""
    reason: str | None = None
    """Why it failed."""


def objective(record: RunRecord) -> tuple[float, float]:
    """Return the errors of network and calibration curve that a trial is judged by, label's unit.

    Over the folds where the training had folds, every sample counting once; else on the validation split.
    """
    if not record.folds:
        return record.validation_mae["keras"], record.validation_mae["baseline"]
    samples = sum(fold.n for fold in record.folds)
    network = sum(fold.n * fold.mae for fold in record.folds) / samples
    return network, sum(fold.n * fold.mae_baseline for fold in record.folds) / samples


def run_trial(arguments: Sequence[str]) -> str | None:
    """Train with these arguments of ``analyte train`` on one core; return why it failed, or None.

    The process has to be given up afterwards: TensorFlow keeps its threads and its random state.
    """
    with one_core():
        from analyte.train.commands.train import command

        try:
            command.main(list(arguments), prog_name="analyte train", standalone_mode=False)
        except click.ClickException as error:
            return error.format_message()
        except AnalyteError as error:
            return error.line()
        except OSError as error:
            return from_os_error(error).line()
        except Exception as error:  # noqa: BLE001 - one trial must not end the others
            return " ".join(f"unexpected {type(error).__name__}: {error}".split())
    return None
