"""``analyte train``: layouts, refusals, warnings, and a Ctrl-C that loses nothing."""

from __future__ import annotations

import csv
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import termios
import time
from dataclasses import dataclass
from pathlib import Path

import keras
import pytest

from analyte.contract.run import RunRecord, load_record, load_samples
from conftest import Invoke
from train.tiny_studies import Study, write_study

FAST = ("--size", 16, "--epochs", 1, "--batch-size", 64)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(tmp_path_factory.mktemp("cli") / "study", Study(samples=72))


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory, study: Path, invoke: Invoke) -> tuple[Path, str]:
    """A run of one epoch, not to be altered, and what was printed."""
    run = tmp_path_factory.mktemp("cli") / "run"
    outcome = invoke("train", study, "-o", run, *FAST)
    assert outcome.code == 0, outcome.stderr
    return run, outcome.stdout


@pytest.fixture(scope="module")
def short_run(short: tuple[Path, str]) -> Path:
    return short[0]


def files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


class TestOverwrite:
    """An old run is never lost by accident."""

    def test_refused(self, short_run: Path, study: Path, invoke: Invoke) -> None:
        before = files(short_run)
        outcome = invoke("train", study, "-o", short_run, *FAST)
        assert outcome.code == 3
        assert "exists already" in outcome.stderr
        assert "--overwrite" in outcome.stderr
        assert files(short_run) == before

    def test_kept_when_the_new_one_fails(
        self, short_run: Path, study: Path, invoke: Invoke, tmp_path: Path
    ) -> None:
        run, broken = tmp_path / "run", tmp_path / "study"
        shutil.copytree(short_run, run)
        shutil.copytree(study, broken)
        before = files(run)
        (broken / "images" / "0003-sample.png").write_bytes(b"no picture")
        outcome = invoke("train", broken, "-o", run, *FAST, "--overwrite")
        assert outcome.code == 3
        assert "0003-sample.png" in outcome.stderr
        assert files(run) == before
        assert sorted(p.name for p in tmp_path.iterdir()) == ["run", "study"]


@pytest.fixture
def bare(study: Path, tmp_path: Path) -> Path:
    """The same photographs in sub-folders named by value, without any labels."""
    folder = tmp_path / "bare"
    with (study / "labels.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            level = folder / f"{round(float(row['value']))}"
            level.mkdir(parents=True, exist_ok=True)
            shutil.copy(study / row["path"], level)
    return folder


def test_bare_folder_needs_a_unit(bare: Path, invoke: Invoke, tmp_path: Path) -> None:
    outcome = invoke("train", bare, "-o", tmp_path / "run", *FAST)
    assert (outcome.code, "Pass --unit UNIT" in outcome.stderr) == (3, True)


def test_bare_folder_into_an_old_run(bare: Path, short_run: Path, invoke: Invoke, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(short_run, run)
    (run / "old").touch()
    outcome = invoke(
        "train", bare, "-o", run, *FAST, "--unit", "mmol/L", "--analyte", "iron",
        "--seed", 5, "--overwrite", "--json",
    )  # fmt: skip
    assert outcome.code == 0, outcome.stderr
    assert not (run / "old").exists()
    record = load_record(run)
    assert record.seed == 5
    assert (record.label.unit, record.label.analyte, record.label.range) == ("mmol/L", "iron", (0.0, 10.0))
    assert set(record.dataset.counts) == {"train", "val", "test"}
    # --json prints what was written, and nothing else.
    assert RunRecord.model_validate(json.loads(outcome.stdout)) == record


def test_unit_beside_dataset_toml_is_refused(study: Path, invoke: Invoke, tmp_path: Path) -> None:
    outcome = invoke("train", study, "-o", tmp_path / "run", "--unit", "g/L")
    assert (outcome.code, "states the unit already" in outcome.stderr) == (3, True)


def test_unknown_recipe(study: Path, invoke: Invoke, tmp_path: Path) -> None:
    outcome = invoke("train", study, "-o", tmp_path / "run", "--recipe", "resnet")
    assert outcome.code == 2
    assert "--recipe: no such recipe; expected isotropic | " in outcome.stderr
    assert outcome.stderr.rstrip().endswith("got resnet. Did you mean resnet-small?")
    assert not (tmp_path / "run").exists()


def test_size_that_does_not_fit(study: Path, invoke: Invoke, tmp_path: Path) -> None:
    outcome = invoke("train", study, "-o", tmp_path / "run", "--size", 17)
    assert outcome.code == 2
    assert "--size 17: the size does not fit" in outcome.stderr
    assert list(tmp_path.iterdir()) == []


def test_duplicates_across_splits_are_warned_of(study: Path, invoke: Invoke, tmp_path: Path) -> None:
    copied = tmp_path / "study"
    shutil.copytree(study, copied)
    # Sample 0 stands in training (day 0), sample 5 in the test (day 5).
    shutil.copy(copied / "images" / "0000-sample.png", copied / "images" / "0005-sample.png")
    # Said before any work: the size is wrong too, which ends it here.
    outcome = invoke("train", copied, "-o", tmp_path / "run", "--size", 17)
    assert "warning: 1 pictures stand in two splits" in outcome.stderr
    assert "0000 (train) and 0005 (test)" in outcome.stderr


def test_sessions_on_both_sides_are_warned_of(study: Path, invoke: Invoke, tmp_path: Path) -> None:
    """Specimens are apart, days are not: said before any work, with what to do."""
    copied = tmp_path / "study"
    shutil.copytree(study, copied)
    text = (copied / "labels.csv").read_text("utf-8")
    (copied / "labels.csv").write_text(re.sub(r"day(\d),day\d,", r"day\1,day0,", text), "utf-8")
    outcome = invoke("train", copied, "-o", tmp_path / "run", "--size", 17)
    assert "warning: 1 of 1 sessions in validation and test also train" in outcome.stderr
    assert "--split-by session" in outcome.stderr
    assert "also train" not in invoke("train", study, "-o", tmp_path / "run", "--size", 17).stderr


def test_summary_says_when_the_network_is_worse(short: tuple[Path, str]) -> None:
    """After one epoch the calibration curve is better, and that is said plainly."""
    run, printed = short
    record = load_record(run)
    assert record.validation_mae["keras"] > record.validation_mae["baseline"]
    assert f"validation, which also chose the epoch: {record.verdict}\n" in printed
    # One session is no proof either way: the report's rule, not a comparison of two numbers.
    assert "cannot be told apart from the calibration curve" in record.verdict
    assert "0 of 1 independent group" in record.verdict


def test_summary_says_what_few_sessions_assure(short: tuple[Path, str]) -> None:
    """Coverage times K / (K + 1): one session held out assures half."""
    run, printed = short
    interval = load_record(run).interval
    assert interval.groups == 1
    assert f"on 1 independent group, they assure {50 * interval.coverage:.0f} % in a new one" in printed
    assert "--folds session" in printed


@dataclass(frozen=True, slots=True)
class Stopped:
    """A training in a process of its own, interrupted."""

    code: int
    stdout: str
    terminal: str


def interrupt_when(word: str, *arguments: object, wait_s: float = 0.0) -> Stopped:
    """Train with a terminal for stderr, and press Ctrl-C ``wait_s`` after ``word`` shows on it."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 200))  # a terminal without columns gets no progress bar
    command = [sys.executable, "-m", "analyte.cli", "train", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, text=True) as process:
        os.close(theirs)
        shown, sent, deadline = "", False, time.monotonic() + 90
        while time.monotonic() < deadline:
            if not select.select([ours], [], [], 1.0)[0]:
                continue
            try:
                shown += os.read(ours, 4096).decode(errors="replace")
            except OSError:  # the other end is closed: the process is over
                break
            if word in shown and not sent:
                time.sleep(wait_s)
                process.send_signal(signal.SIGINT)
                sent = True
        if process.poll() is None and time.monotonic() >= deadline:
            process.kill()
        os.close(ours)
        stdout = process.stdout.read() if process.stdout else ""
        code = process.wait(timeout=60)
    assert sent, shown
    return Stopped(code, stdout, shown)


def test_ctrl_c_keeps_the_best_epoch(study: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    stopped = interrupt_when("best", study, "-o", run, "--size", 16, "--epochs", 5000, "--patience", 5000)
    assert stopped.code == 130, stopped.terminal
    assert "stopped by Ctrl-C" in stopped.stdout
    record, samples = load_record(run), load_samples(run)
    assert record.interrupted
    assert 1 <= record.best_epoch <= record.epochs < 5000
    history = (run / "history.csv").read_text("utf-8").splitlines()[1:]
    assert len(history) == record.epochs
    errors = [float(line.split(",")[2]) for line in history]
    assert errors.index(min(errors)) + 1 == record.best_epoch
    # The saved model is that epoch's.
    model = keras.saving.load_model(run / "model.keras", compile=False)
    values = keras.ops.convert_to_numpy(model(samples.val_images[:, 0])["value"])
    assert float(abs(values - samples.val_values).mean()) == pytest.approx(min(errors), abs=1e-4)
    assert (run / "predicted.png").is_file()
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_ctrl_c_before_the_first_epoch_leaves_nothing(study: Path, tmp_path: Path) -> None:
    """Also of the old run's replacement: the old one stays."""
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_text("old", "utf-8")
    stopped = interrupt_when("0/60", study, "-o", run, "--size", 64, "--overwrite", wait_s=1.0)
    assert stopped.code == 130, stopped.terminal
    assert "Traceback" not in stopped.terminal
    assert [p.name for p in tmp_path.iterdir()] == ["run"]
    assert files(run) == {"run.json": b"old"}


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--size", 100_000, "100000 is not in the range 8<=x<=1024"),
        ("--batch-size", 100_000_000, "100000000 is not in the range 1<=x<=4096"),
        ("--learning-rate", "nan", "'nan' is not a number"),
        ("--learning-rate", "inf", "is not in the range 0<x<=1"),
        ("--seed", 2**40, "is not in the range 0<=x<=2147483647"),
    ],
)
def test_numbers_that_no_training_takes(
    study: Path, tmp_path: Path, invoke: Invoke, option: str, value: object, said: str
) -> None:
    outcome = invoke("train", study, "-o", tmp_path / "run", option, str(value))
    assert (outcome.code, said in outcome.stderr) == (2, True)
