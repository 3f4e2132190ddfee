"""A sweep from its plan to its best run."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict

from analyte.contract.errors import AnalyteError
from analyte.contract.output import staged_folder
from analyte.contract.run import RECORD_FILE
from analyte.contract.versions import installed_versions
from analyte.train.sweep.plan import BEST_FOLDER, SweepFolder, SweepPlan
from analyte.train.sweep.trial import TrialResult, objective

_LIBRARIES = ("ray", "tensorflow", "keras", "numpy")


class SweepRecord(BaseModel):
    """The contents of ``sweep.json``. Errors are in ``unit``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset: str
    analyte: str
    unit: str
    objective: str
    """What trials are compared by, in words."""
    searched: tuple[str, ...]
    """Options that differ between trials."""
    seed: int
    folds: int | str | None
    trials: tuple[TrialResult, ...]
    """Best first, then those that failed, then those that did not run."""
    best: int | None
    """Number of the best trial."""
    best_run: str | None
    """A copy of its run folder."""
    workers: int | None
    seconds: float
    """Duration of this call, without the trials that an earlier one finished."""
    versions: dict[str, str]
    created_at: str
    """UTC, ISO 8601."""

    @property
    def failed(self) -> tuple[TrialResult, ...]:
        """The trials that failed."""
        return tuple(trial for trial in self.trials if trial.status == "failed")


@dataclass(frozen=True, slots=True)
class Subject:
    """What a sweep is about, for its record."""

    dataset: str
    analyte: str
    unit: str
    searched: tuple[str, ...]
    workers: int | None


class Results:
    """What is known of each trial so far, from the run folders and from what failed."""

    def __init__(self, folder: SweepFolder, plan: SweepPlan) -> None:
        self._folder, self._plan = folder, plan
        self._reasons: dict[int, str] = {}
        self._finished: dict[int, TrialResult] = {}
        for number in range(1, len(plan.trials) + 1):
            self._look(number)

    @property
    def waiting(self) -> list[int]:
        """Numbers of the trials without a run folder."""
        return [number for number in range(1, len(self._plan.trials) + 1) if number not in self._finished]

    def ended(self, number: int, reason: str | None) -> TrialResult:
        """Take note that a trial ended; ``reason``: why it failed, if it did."""
        self._look(number)
        if number not in self._finished:
            self._reasons[number] = reason or "left no run folder that is seen from here"
        return self._result(number)

    def all(self) -> tuple[TrialResult, ...]:
        """Return every trial, best first, then those that failed, then those that did not run."""
        order = {"finished": 0, "failed": 1, "not run": 2}
        found = [self._result(number) for number in range(1, len(self._plan.trials) + 1)]
        return tuple(sorted(found, key=lambda t: (order[t.status], t.error or 0.0, t.number)))

    def _look(self, number: int) -> None:
        record = self._folder.record(number)
        if record is None:
            return
        error, baseline = objective(record)
        self._finished[number] = TrialResult(
            number=number,
            status="finished",
            settings=self._plan.trials[number - 1],
            error=error,
            baseline=baseline,
            parameters=record.parameters,
            seconds=record.seconds,
            run=str(self._folder.trial(number).relative_to(self._folder.path)),
        )

    def _result(self, number: int) -> TrialResult:
        if number in self._finished:
            return self._finished[number]
        settings, reason = self._plan.trials[number - 1], self._reasons.get(number)
        if reason is None:
            return TrialResult(number=number, status="not run", settings=settings, reason=reason)
        return TrialResult(number=number, status="failed", settings=settings, reason=reason)


RunTrials = Callable[[list[int], Callable[[int, str | None], None]], None]
"""Runs the trials of these numbers; calls back with the number of each that ended, and why it failed."""


def run_sweep(
    folder: SweepFolder,
    plan: SweepPlan,
    subject: Subject,
    run: RunTrials,
    on_end: Callable[[TrialResult], None],
    write: Callable[[SweepRecord], None],
) -> SweepRecord:
    """Run the trials that are not finished and promote the best.

    ``write``: saves a record; called after every trial, so that the last one is true whatever happens.
    Raises: AnalyteError when no trial at all succeeded.
    """
    started = time.monotonic()
    results = Results(folder, plan)

    def record(best_run: str | None = None) -> SweepRecord:
        return _record(plan, subject, results.all(), best_run, time.monotonic() - started)

    def ended(number: int, reason: str | None) -> None:
        on_end(results.ended(number, reason))
        write(record())

    write(record())
    if results.waiting:
        run(results.waiting, ended)
    best = results.all()[0]
    if best.status != "finished":
        raise AnalyteError(
            "no trial succeeded", where=folder.path, got=f"of the first: {best.reason or 'did not run'}"
        )
    _promote(folder, best.number)
    final = record(BEST_FOLDER)
    write(final)
    return final


def _record(
    plan: SweepPlan, subject: Subject, trials: tuple[TrialResult, ...], best_run: str | None, seconds: float
) -> SweepRecord:
    return SweepRecord(
        dataset=subject.dataset,
        analyte=subject.analyte,
        unit=subject.unit,
        objective=objective_in_words(plan.folds),
        searched=subject.searched,
        seed=plan.seed,
        folds=plan.folds,
        trials=trials,
        best=trials[0].number if trials[0].status == "finished" else None,
        best_run=best_run,
        workers=subject.workers,
        seconds=round(seconds, 1),
        versions=installed_versions(_LIBRARIES),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def objective_in_words(folds: int | str | None) -> str:
    """Say what trials are compared by."""
    if folds is None:
        return "MAE on the validation split"
    return "MAE with every session held out once" if folds == "session" else f"MAE over {folds} folds"


def _promote(folder: SweepFolder, number: int) -> None:
    """Copy the run of a trial to ``best``, in one step. A copy can be moved, and outlives the trials."""
    target = folder.path / BEST_FOLDER
    with staged_folder(target, overwrite=True, marker=RECORD_FILE) as draft:
        shutil.copytree(folder.trial(number), draft, dirs_exist_ok=True)
