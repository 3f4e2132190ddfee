"""A sweep without its trainings: what is finished, what is not, which is best, and what is refused."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from analyte.contract.errors import AnalyteError, InputError, OutputError
from analyte.contract.run import MODEL_FILE, RECORD_FILE, FoldRecord, RunRecord, load_record, save_record
from analyte.train.sweep.outcome import PICTURE_NAME, draw_outcome, trials_table, write_outcome
from analyte.train.sweep.plan import SweepFolder, SweepPlan
from analyte.train.sweep.study import Subject, SweepRecord, run_sweep
from analyte.train.sweep.trial import TrialResult, objective

TRIALS = ({"epochs": 1, "head": "linear"}, {"epochs": 2, "head": "bins"}, {"epochs": 3, "head": "linear"})
SUBJECT = Subject("dye", "dye", "mg/L", ("epochs", "head"), 2)
Errors = dict[int, float | str]
"""By trial: the validation error that it ends with, or why it fails."""


def plan(**changes: object) -> SweepPlan:
    return SweepPlan.model_validate(
        {"analyte_version": "1.0", "dataset_sha256": "0"}
        | {"space": {"epochs": [1, 2, 3]}, "seed": 0, "folds": None}
        | {"trials": TRIALS}
        | changes
    )


@pytest.fixture(scope="module")
def finished(one_view_run: Path) -> Callable[[Path, float], None]:
    """Write a run folder of which training said this validation error."""
    template = load_record(one_view_run)

    def write(folder: Path, error: float) -> None:
        folder.mkdir()
        shutil.copy(one_view_run / MODEL_FILE, folder)
        save_record(template.model_copy(update={"validation_mae": {"keras": error, "baseline": 0.5}}), folder)

    return write


class Sweeps:
    """Runs sweeps in which trials only pretend to train."""

    def __init__(self, folder: Path, finished: Callable[[Path, float], None]) -> None:
        self.folder, self._finished = SweepFolder(folder), finished
        self.ran: list[int] = []
        self.told: list[TrialResult] = []

    def run(self, errors: Errors, made: SweepPlan | None = None) -> SweepRecord:
        made = made or plan()

        def trials(numbers: list[int], ended: Callable[[int, str | None], None]) -> None:
            for number in numbers:
                self.ran.append(number)
                outcome = errors[number]
                if isinstance(outcome, str):
                    ended(number, outcome)
                    continue
                self._finished(self.folder.trial(number), outcome)
                ended(number, None)
                if outcome == 0.0:
                    raise KeyboardInterrupt

        return run_sweep(
            self.folder, made, SUBJECT, trials, self.told.append, lambda r: write_outcome(r, self.folder.path)
        )


@pytest.fixture
def sweeps(tmp_path: Path, finished: Callable[[Path, float], None]) -> Sweeps:
    made = Sweeps(tmp_path / "sweep", finished)
    made.folder.start(plan())
    return made


def test_best_is_promoted_and_failures_are_told(sweeps: Sweeps, tmp_path: Path) -> None:
    record = sweeps.run({1: 0.4, 2: "the loss does not go with the head", 3: 0.3})
    assert [(trial.number, trial.status) for trial in record.trials] == [
        (3, "finished"), (1, "finished"), (2, "failed"),
    ]  # fmt: skip
    assert (record.best, record.best_run) == (3, "best")
    assert [trial.reason for trial in record.failed] == ["the loss does not go with the head"]
    best = sweeps.folder.path / "best"
    assert load_record(best).validation_mae["keras"] == 0.3
    assert (best / MODEL_FILE).read_bytes() == (sweeps.folder.trial(3) / MODEL_FILE).read_bytes()
    assert record.trials[0].settings == TRIALS[2]
    assert (record.trials[0].baseline, record.trials[0].run) == (0.5, "trials/003")
    table = trials_table(record)
    assert "MAE on the validation split, mg/L" in table
    assert [line.split()[0] for line in table.splitlines()[2:]] == ["3", "1", "2"]
    draw_outcome(record, tmp_path / PICTURE_NAME)
    assert (tmp_path / PICTURE_NAME).stat().st_size > 5000


def test_files_say_the_same(sweeps: Sweeps) -> None:
    record = sweeps.run({1: 0.4, 2: "no", 3: 0.3})
    written = json.loads((sweeps.folder.path / "sweep.json").read_text("utf-8"))
    assert SweepRecord.model_validate(written) == record
    with (sweeps.folder.path / "trials.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["trial"], row["error_mg/L"], row["head"], row["reason"]) for row in rows] == [
        ("3", "0.3", "linear", ""),
        ("1", "0.4", "linear", ""),
        ("2", "", "bins", "no"),
    ]


def test_no_trial_succeeded(sweeps: Sweeps) -> None:
    with pytest.raises(AnalyteError, match=r"no trial succeeded; got of the first: too dark") as caught:
        sweeps.run({1: "too dark", 2: "too bright", 3: "too dark"})
    assert caught.value.exit_code == 1
    assert not (sweeps.folder.path / "best").exists()
    assert "too bright" in (sweeps.folder.path / "trials.csv").read_text("utf-8")


def test_goes_on_with_what_is_not_finished(sweeps: Sweeps) -> None:
    """After a stop, failed trials and those that never ran are run; finished ones are not."""
    with pytest.raises(KeyboardInterrupt):
        sweeps.run({1: "killed", 2: 0.0})
    seen = SweepRecord.model_validate_json((sweeps.folder.path / "sweep.json").read_bytes())
    assert [(t.number, t.status) for t in seen.trials] == [(2, "finished"), (1, "failed"), (3, "not run")]
    kept = (sweeps.folder.trial(2) / RECORD_FILE).stat().st_mtime_ns
    sweeps.ran.clear()
    record = sweeps.run({1: 0.2, 3: 0.1})
    assert sweeps.ran == [1, 3]
    assert (sweeps.folder.trial(2) / RECORD_FILE).stat().st_mtime_ns == kept
    assert [trial.number for trial in record.trials] == [2, 3, 1]
    sweeps.ran.clear()
    assert sweeps.run({}).best == 2
    assert sweeps.ran == []


def test_killed_between_result_and_report(sweeps: Sweeps) -> None:
    """The second try finds the run folder and says that it exists already; it is finished none the less."""
    sweeps._finished(sweeps.folder.trial(1), 0.2)
    record = sweeps.run({2: 0.4, 3: "exists already"})
    assert [trial.number for trial in record.trials] == [1, 2, 3]
    assert sweeps.ran == [2, 3]


def test_exists_already(sweeps: Sweeps) -> None:
    with pytest.raises(OutputError, match=r"exists already.*Pass --resume"):
        sweeps.folder.start(plan())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"analyte_version": "1.1"}, r"another version of analyte.*got 1\.1\. Install analyte 1\.0"),
        ({"seed": 1}, r"another --seed; expected 0; got 1"),
        ({"folds": 3}, r"another --folds; expected null; got 3"),
        ({"dataset_sha256": "1"}, r"another DATASET"),
        ({"space": {"epochs": [1, 2]}}, r"another --space; expected .*3\]"),
        ({"trials": TRIALS[:2]}, r"other trials; expected --trials 3; got 2"),
    ],
)
def test_resumed_with_something_else(sweeps: Sweeps, changes: dict[str, object], said: str) -> None:
    sweeps.folder.check(plan())
    with pytest.raises(InputError, match=said):
        sweeps.folder.check(plan(**changes))


def test_nothing_to_resume(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no sweep to go on with.*Leave --resume out"):
        SweepFolder(tmp_path).check(plan())


def test_one_sweep_at_a_time(sweeps: Sweeps) -> None:
    leftover = sweeps.folder.path / "trials" / ".001.half"
    leftover.mkdir()
    with sweeps.folder.locked():
        assert not leftover.exists()
        with (
            pytest.raises(OutputError, match="another sweep runs there"),
            SweepFolder(sweeps.folder.path).locked(),
        ):
            pass
    with sweeps.folder.locked():
        pass


def test_objective_over_folds_counts_every_sample_once(one_view_run: Path) -> None:
    record = load_record(one_view_run)
    assert objective(record) == (record.validation_mae["keras"], record.validation_mae["baseline"])
    folds = (
        FoldRecord(sessions=("a",), n=30, mae=1.0, mae_baseline=2.0),
        FoldRecord(sessions=("b",), n=10, mae=3.0, mae_baseline=4.0),
    )
    assert objective(record.model_copy(update={"folds": folds})) == (1.5, 2.5)
    assert isinstance(record, RunRecord)
