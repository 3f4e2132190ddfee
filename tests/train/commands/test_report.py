"""``analyte report``: the right samples, the figures of the run, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from analyte.contract.run import load_record
from conftest import Invoke
from train.report.pages import read_page


def report(invoke: Invoke, *arguments: str | Path) -> dict[str, Any]:
    outcome = invoke("report", *arguments, "--json")
    assert outcome.code == 0, outcome.stderr
    return json.loads(outcome.stdout)


def relabelled(study: Path, folder: Path, old: str, new: str) -> Path:
    """Copy a study with its labels changed."""
    shutil.copytree(study, folder)
    text = (folder / "labels.csv").read_text("utf-8")
    assert old in text
    (folder / "labels.csv").write_text(text.replace(old, new), "utf-8")
    return folder


@pytest.mark.parametrize("word", ["one", "two"])
def test_validation_split_is_the_default(
    word: str, request: pytest.FixtureRequest, tmp_path: Path, invoke: Invoke
) -> None:
    run, study = (Path(request.getfixturevalue(f"{word}_view_{what}")) for what in ("run", "study"))
    # The splits of the run count: what the labels say now would show training samples.
    study = relabelled(study, tmp_path / "study", ",train", ",val")
    found = report(invoke, run, study, "-o", tmp_path / "report.html")
    record = load_record(run)
    assert (found["dataset"], found["split"], found["n"], found["unit"]) == ("dye", "val", 40, "mg/L")
    # What training said of the same samples.
    assert found["mae"] == pytest.approx(record.validation_mae["keras"], abs=1e-4)
    assert found["mae_baseline"] == pytest.approx(record.validation_mae["baseline"])
    assert found["difference"] == pytest.approx(found["mae"] - found["mae_baseline"])
    # All of it is one session: no verdict on new ones.
    assert (found["groups"], found["lower"], found["verdict"]) == (1, None, "undecided")
    page = read_page(tmp_path / "report.html")
    assert "Every figure below is of the validation split." in page.text
    assert len(page.all("svg")) == 7
    assert len(page.all("img")) == 12 * len(record.views)
    _, *rows = page.tables["Samples by split"]
    assert [(row[0], row[1]) for row in rows] == [("train", "160"), ("val", "40"), ("test", "40")]
    # The half-widths are those that the run was calibrated to.
    median = float(page.text.split("Half-width: median ")[1].split(",")[0])
    assert median == pytest.approx(record.median_half_width, rel=1e-3)
    _, *rows = page.tables["Value over the full circle, mg/L"]
    assert len(rows) == 3
    # The default recipe gives the same value for every quarter turn, and not for what is interpolated.
    assert max(float(row[-1]) for row in rows) < 1e-3 < max(float(row[-2]) for row in rows)


def test_test_split(one_view_run: Path, one_view_study: Path, tmp_path: Path, invoke: Invoke) -> None:
    file = tmp_path / "report.html"
    outcome = invoke("report", one_view_run, one_view_study, "-o", file, "--split", "test")
    assert outcome.code == 0, outcome.stderr
    assert outcome.stdout.startswith("The network ")
    page = read_page(file)
    assert "do not choose recipes, settings or epochs by this page" in page.text
    assert [row[0] for row in page.tables["Errors by session, mg/L"]] == ["session", "day5"]
    # The same samples and errors as `analyte evaluate` finds.
    evaluated = json.loads(invoke("evaluate", one_view_run, one_view_study, "--json").stdout)["results"]
    rows = {row[0]: row[1:] for row in page.tables["Errors of 40 readings"]}
    said = [float(text) for text in rows["mean absolute error (MAE), mg/L"]]
    assert said == pytest.approx([row["mae"] for row in evaluated], rel=1e-3)
    assert rows["true value within the interval"][0] == f"{100 * evaluated[0]['coverage']:g} %"


def test_test_samples_that_training_saw_are_left_out(
    one_view_run: Path, one_view_study: Path, tmp_path: Path, invoke: Invoke
) -> None:
    other = relabelled(one_view_study, tmp_path / "study", "day0,train", "day0,test")
    # One label more, so that it is other data, of which day 0 was in training.
    text = (other / "labels.csv").read_text("utf-8")
    (other / "labels.csv").write_text(text.replace(",day1,day1,", ",day7,day7,"), "utf-8")
    run = tmp_path / "run"
    shutil.copytree(one_view_run, run)
    (run / "history.csv").unlink()
    outcome = invoke("report", run, other, "-o", tmp_path / "report.html", "--split", "test")
    assert outcome.code == 0, outcome.stderr
    assert "warning: left out 40 test samples that training saw" in outcome.stderr
    page = read_page(tmp_path / "report.html")
    assert "40 test samples are left out because training saw their pictures." in page.text
    assert [row[0] for row in page.tables["Errors by session, mg/L"]] == ["session", "day5"]
    assert "Not recorded." in page.text


def test_nothing_but_training_pictures(
    one_view_run: Path, one_view_study: Path, tmp_path: Path, invoke: Invoke
) -> None:
    folder = tmp_path / "study"
    shutil.copytree(one_view_study, folder)
    rows = (folder / "labels.csv").read_text("utf-8").splitlines()
    (folder / "labels.csv").write_text("\n".join(r for r in rows if ",test" not in r) + "\n", "utf-8")
    outcome = invoke("report", one_view_run, folder, "-o", tmp_path / "report.html", "--split", "test")
    assert outcome.code == 3
    assert "every sample was seen in training or validation" in outcome.stderr


class TestRefusals:
    """Said in one line, before anything is written."""

    def test_existing_file(
        self, one_view_run: Path, one_view_study: Path, tmp_path: Path, invoke: Invoke
    ) -> None:
        file = tmp_path / "report.html"
        file.write_text("old", "utf-8")
        outcome = invoke("report", one_view_run, one_view_study, "-o", file)
        assert (outcome.code, "exists already" in outcome.stderr) == (3, True)
        assert file.read_text("utf-8") == "old"

    def test_other_views(
        self, one_view_run: Path, two_view_study: Path, tmp_path: Path, invoke: Invoke
    ) -> None:
        outcome = invoke("report", one_view_run, two_view_study, "-o", tmp_path / "report.html")
        assert outcome.code == 3
        assert "got views reference, sample" in outcome.stderr

    def test_validation_split_of_other_data(
        self, one_view_run: Path, one_view_study: Path, tmp_path: Path, invoke: Invoke
    ) -> None:
        """One label was changed since: what was in which split cannot be known."""
        other = relabelled(one_view_study, tmp_path / "study", "0003,sample,day3,", "0003,sample,day9,")
        outcome = invoke("report", one_view_run, other, "-o", tmp_path / "report.html")
        assert outcome.code == 3
        assert "not the data that the run was trained on" in outcome.stderr
        assert "--split test" in outcome.stderr

    def test_no_run(self, one_view_study: Path, tmp_path: Path, invoke: Invoke) -> None:
        outcome = invoke("report", one_view_study, one_view_study, "-o", tmp_path / "report.html")
        assert (outcome.code, "not a run folder" in outcome.stderr) == (3, True)

    @pytest.mark.parametrize("file", ["model.keras", "history.csv"])
    def test_damaged_run(
        self, file: str, one_view_run: Path, one_view_study: Path, tmp_path: Path, invoke: Invoke
    ) -> None:
        run = tmp_path / "run"
        shutil.copytree(one_view_run, run)
        (run / file).write_bytes(b"epoch,loss\n1,word\n")
        outcome = invoke("report", run, one_view_study, "-o", tmp_path / "report.html")
        assert outcome.code == 7
        assert file in outcome.stderr
        assert not (tmp_path / "report.html").exists()


def test_a_run_with_covariates(one_view_study: Path, tmp_path: Path, invoke: Invoke) -> None:
    """The network gets them in the report as it got them in training."""
    study = tmp_path / "study"
    shutil.copytree(one_view_study, study)
    header, *rows = (study / "labels.csv").read_text("utf-8").splitlines()
    lines = [f"{header},temperature", *(f"{row},{20 + index % 5}" for index, row in enumerate(rows))]
    (study / "labels.csv").write_text("\n".join(lines) + "\n", "utf-8")
    with (study / "dataset.toml").open("a", encoding="utf-8") as file:
        file.write('covariates = ["temperature"]\n')
    options = ("--size", 16, "--epochs", 1, "--augment", "none")
    trained = invoke("train", study, "-o", tmp_path / "run", *options)
    assert trained.code == 0, trained.stderr
    said = report(invoke, tmp_path / "run", study, "-o", tmp_path / "again.html", "--split", "val")
    # The same samples, hence the same difference as in the run's own report.
    errors = load_record(tmp_path / "run").validation_mae
    assert said["difference"] == pytest.approx(errors["keras"] - errors["baseline"], rel=1e-4)
    # Data without them are refused, and named.
    outcome = invoke("report", tmp_path / "run", one_view_study, "-o", tmp_path / "x.html", "--split", "test")
    assert outcome.code == 3
    assert "temperature" in outcome.stderr


def test_missing_folders_are_made(
    one_view_run: Path, one_view_study: Path, tmp_path: Path, invoke: Invoke
) -> None:
    """As every command does with what it writes."""
    file = tmp_path / "reports" / "2026" / "report.html"
    report(invoke, one_view_run, one_view_study, "-o", file)
    assert file.is_file()
