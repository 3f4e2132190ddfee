"""``analyte evaluate``: the right samples, the right rows, the right errors."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from analyte.contract.foreign import calibrate_foreign
from analyte.contract.labels_file import load_dataset
from analyte.contract.pictures import load_pictures
from analyte.contract.run import load_record, load_samples, save_record
from analyte.export.evaluation import choose_samples, evaluate, open_subject
from analyte.export.formats import FORMATS
from analyte.export.gate import TOLERANCE_OF_RANGE
from analyte.export.tables import evaluation_table
from analyte.export.trained_model import load_model, predict
from analyte.runtime.engines.protocol import Prediction
from conftest import BUNDLED, Invoke
from train.tiny_studies import Study, train_run, write_study

ARTIFACTS = list(BUNDLED)
FIELDS = {
    "name", "n", "mae", "rmse", "r2", "max_error", "rounded_accuracy", "coverage", "foreign", "refused",
}  # fmt: skip


def report(invoke: Invoke, *arguments: str | Path) -> dict[str, Any]:
    outcome = invoke("evaluate", *arguments, "--json")
    assert outcome.code == 0, outcome.stderr
    return json.loads(outcome.stdout)


def test_run(one_view_run: Path, one_view_study: Path, invoke: Invoke) -> None:
    found = report(invoke, one_view_run, one_view_study)
    assert {key: found[key] for key in ("dataset", "split", "unit")} == {
        "dataset": "dye", "split": "test", "unit": "mg/L",
    }  # fmt: skip
    assert [row["name"] for row in found["results"]] == ["keras", "baseline"]
    assert all(set(row) >= FIELDS for row in found["results"])


def test_figures_are_those_of_the_test_split(
    one_view_run: Path, one_view_study: Path, invoke: Invoke
) -> None:
    """Worked out again from the pictures, by the definitions."""
    record, dataset = load_record(one_view_run), load_dataset(one_view_study).subset("test")
    images = load_pictures(dataset.samples, record.preprocessing, where="test")
    true = np.array([sample.value for sample in dataset.samples])
    said = predict(load_model(one_view_run / "model.keras"), images)
    error = said.value.astype(float) - true
    keras, baseline = report(invoke, one_view_run, one_view_study)["results"]
    assert keras["n"] == baseline["n"] == len(true) == 40
    assert keras["mae"] == pytest.approx(np.abs(error).mean())
    assert keras["rmse"] == pytest.approx(np.sqrt((error**2).mean()))
    assert keras["max_error"] == pytest.approx(np.abs(error).max())
    assert keras["r2"] == pytest.approx(1 - (error**2).sum() / ((true - true.mean()) ** 2).sum())
    within = np.abs(error) <= record.interval.quantile * said.sigma
    assert keras["coverage"] == pytest.approx(within.mean())
    assert baseline["mae"] == pytest.approx(np.abs(record.baseline.predict(images) - true).mean())
    assert baseline["coverage"] is None
    # The values are no whole numbers, so that rounding to them means nothing.
    assert keras["rounded_accuracy"] is None


def test_coverage_by_group(one_view_run: Path, one_view_study: Path, tmp_path: Path, invoke: Invoke) -> None:
    """The last day as two groups of 10 and 30: each counts once, however many samples it has."""
    study = Path(shutil.copytree(one_view_study, tmp_path / "study"))
    header, *rows = (study / "labels.csv").read_text("utf-8").splitlines()
    tested = [number for number, row in enumerate(rows) if row.endswith(",test")]
    for number in tested[:10]:
        rows[number] = rows[number].replace(",day5,day5,", ",morning,day5,")
    (study / "labels.csv").write_text("\n".join([header, *rows, ""]), "utf-8")
    file = tmp_path / "new" / "said.csv"
    keras, baseline = report(invoke, one_view_run, study, "--predictions", file)["results"]
    lines = list(csv.DictReader(file.read_text("utf-8").splitlines()))
    assert [line["predictor"] for line in lines] == ["keras"] * 40 + ["baseline"] * 40
    inside: dict[str, list[bool]] = {}
    for line in lines[:40]:
        held = float(line["lower"]) <= float(line["true"]) <= float(line["upper"])
        inside.setdefault(line["group"], []).append(held)
    assert {group: len(held) for group, held in inside.items()} == {"morning": 10, "day5": 30}
    shares = [float(np.mean(held)) for held in inside.values()]
    assert keras["group_coverage"] == pytest.approx(
        {"groups": 2, "mean": float(np.mean(shares)), "lowest": min(shares)}
    )
    assert baseline["group_coverage"] is None
    errors = [abs(float(line["value"]) - float(line["true"])) for line in lines]
    assert np.mean(errors[:40]) == pytest.approx(keras["mae"])
    assert np.mean(errors[40:]) == pytest.approx(baseline["mae"])
    assert {line["session"] for line in lines} == {"day5"}
    assert {(line["lower"], line["upper"], line["refused"]) for line in lines[40:]} == {("", "", "")}
    assert sum(bool(line["refused"]) for line in lines[:40]) == pytest.approx(40 * keras["refused"])
    table = invoke("evaluate", one_view_run, study).stdout.splitlines()
    assert "coverage  by group" in table[1]
    # Nothing is lost by accident.
    assert invoke("evaluate", one_view_run, study, "--predictions", file).code == 3


def test_no_coverage_by_group_where_there_are_none(
    one_view_run: Path, one_view_study: Path, tmp_path: Path, invoke: Invoke
) -> None:
    study = Path(shutil.copytree(one_view_study, tmp_path / "study"))
    header, *rows = (study / "labels.csv").read_text("utf-8").splitlines()
    rows = [row.replace(",day5,day5,", f",g{number},day5,") for number, row in enumerate(rows)]
    (study / "labels.csv").write_text("\n".join([header, *rows, ""]), "utf-8")
    assert report(invoke, one_view_run, study)["results"][0]["group_coverage"] is None
    assert "by group" not in invoke("evaluate", one_view_run, study).stdout


def test_what_a_device_would_refuse(
    one_view_run: Path, one_view_study: Path, tmp_path: Path, invoke: Invoke
) -> None:
    """With limits that a known part of the test pictures passes, worked out again by their definitions."""
    run = Path(shutil.copytree(one_view_run, tmp_path / "run"))
    record, dataset = load_record(run), load_dataset(one_view_study).subset("test")
    images = load_pictures(dataset.samples, record.preprocessing, where="test")
    said = predict(load_model(run / "model.keras"), images)
    samples = load_samples(run)
    train, val = (
        predict(load_model(run / "model.keras"), part).features
        for part in (samples.train_images, samples.val_images)
    )
    score = calibrate_foreign(
        train, val, train_groups=samples.train_sessions, val_groups=samples.val_sessions
    )
    distances = score.score(said.features)
    score = score.model_copy(update={"limit": float(np.median(distances))})
    gap = np.abs(said.value - record.baseline.predict(images))
    limit = float(np.quantile(gap, 0.75))
    save_record(record.model_copy(update={"foreign": score, "disagreement_limit": limit}), run)
    keras, baseline = report(invoke, run, one_view_study)["results"]
    assert keras["foreign"] == pytest.approx(np.mean(distances > np.median(distances)))
    # Whatever lies beyond one limit or the other is refused; a value outside the range may be, too.
    either = np.mean((distances > np.median(distances)) | (gap > limit))
    outside = np.mean((said.value < 0) | (said.value > 10))
    assert 0.5 <= either - 1e-9 <= keras["refused"] <= either + outside + 1e-9
    assert (baseline["foreign"], baseline["refused"]) == (None, None)
    save_record(record.model_copy(update={"foreign": None}), run)
    assert report(invoke, run, one_view_study)["results"][0]["foreign"] is None


@pytest.mark.parametrize("word", ["one", "two"])
def test_bundle(word: str, request: pytest.FixtureRequest, invoke: Invoke) -> None:
    bundle, run, study = (
        Path(request.getfixturevalue(f"{word}_view_{what}")) for what in ("bundle", "run", "study")
    )
    found = report(invoke, bundle, study)
    assert [row["name"] for row in found["results"]] == ["keras", "baseline", *ARTIFACTS]
    rows = {row["name"]: row for row in found["results"]}
    # The bundle's Keras is the run's.
    assert [rows["keras"], rows["baseline"]] == report(invoke, run, study)["results"]
    for name in ARTIFACTS:
        allowed = TOLERANCE_OF_RANGE[FORMATS[name].precision]
        assert abs(rows[name]["mae"] - rows["keras"]["mae"]) <= allowed * 10, name


@pytest.mark.parametrize(
    ("groups", "network", "curve", "outcome", "said"),
    [
        (8, 1.0, 5.0, "better", "beats the calibration curve"),
        (8, 5.0, 1.0, "worse", "does NOT beat the calibration curve"),
        # Smaller by a hair, or in too few groups: two numbers alone would decide.
        (8, 2.0, 2.0, "undecided", "cannot be told apart from the calibration curve"),
        (5, 5.0, 1.0, "undecided", "cannot be told apart from the calibration curve"),
    ],
)
def test_verdict_by_group(
    groups: int,
    network: float,
    curve: float,
    outcome: str,
    said: str,
    one_view_run: Path,
    one_view_study: Path,
) -> None:
    """Five pictures of each group, and predictors of known error."""
    dataset, rng = load_dataset(one_view_study), np.random.default_rng(3)
    samples = tuple(
        replace(sample, group=f"g{i // 5}", session=f"g{i // 5}")
        for i, sample in enumerate(dataset.subset("test").samples[: 5 * groups])
    )
    subject = open_subject(one_view_run)
    images = load_pictures(samples, subject.preprocessing, where="test")
    by_curve = subject.rules.baseline.predict(images)
    true = by_curve - curve * rng.normal(size=len(samples))
    by_network = (true + network * rng.normal(size=len(samples))).astype(np.float32)
    said_of_all = Prediction(by_network, np.ones_like(by_network), np.zeros((len(samples), 1), np.float32))
    subject = replace(
        subject,
        rules=replace(subject.rules, foreign=None),
        predictors={"keras": lambda images, covariates: said_of_all},
    )
    valued = (replace(sample, value=float(v)) for sample, v in zip(samples, true, strict=True))
    found = evaluate(subject, replace(dataset, samples=tuple(valued)))
    comparison, sentence = found.verdict.comparison, found.verdict.sentence
    assert (comparison.verdict, comparison.groups) == (outcome, groups)
    maes = [float(np.abs(values - true).mean()) for values in (by_network, by_curve)]
    assert [found.verdict.network_mae, found.verdict.curve_mae] == pytest.approx(maes)
    assert comparison.difference == pytest.approx(maes[0] - maes[1])
    assert sentence.startswith(f"The network {said}: MAE ")
    assert sentence.endswith(" Prefer the curve.") == (outcome == "worse")
    assert evaluation_table(found).splitlines()[-1] == sentence


def test_table(one_view_run: Path, one_view_study: Path, invoke: Invoke) -> None:
    lines = invoke("evaluate", one_view_run, one_view_study).stdout.splitlines()
    assert lines[0] == "dye, test split, errors in mg/L"
    assert [line.split()[0] for line in lines[1:4]] == ["name", "keras", "baseline"]
    found = report(invoke, one_view_run, one_view_study)
    comparison, (keras, baseline) = found["comparison"], found["results"]
    assert lines[4:] == [comparison["sentence"]]
    # All of the test split is one group: no verdict, whichever error is smaller.
    assert {key: comparison[key] for key in ("first", "second", "groups", "lower", "upper", "verdict")} == {
        "first": "keras", "second": "baseline", "groups": 1, "lower": None, "upper": None,
        "verdict": "undecided",
    }  # fmt: skip
    assert comparison["confidence"] == 0.95
    assert comparison["difference"] == pytest.approx(keras["mae"] - baseline["mae"])


class TestRefusals:
    """Data that the model cannot be asked about."""

    def test_another_unit(self, one_view_run: Path, tmp_path: Path, invoke: Invoke) -> None:
        other = write_study(tmp_path / "study", Study(samples=12, unit="ug/L"))
        outcome = invoke("evaluate", one_view_run, other)
        assert outcome.code == 3
        assert "views sample in mg/L; got views sample in ug/L" in outcome.stderr

    def test_other_views(self, one_view_run: Path, two_view_study: Path, invoke: Invoke) -> None:
        outcome = invoke("evaluate", one_view_run, two_view_study)
        assert outcome.code == 3
        assert "got views reference, sample" in outcome.stderr

    def test_neither_run_nor_bundle(self, one_view_study: Path, invoke: Invoke) -> None:
        outcome = invoke("evaluate", one_view_study, one_view_study)
        assert outcome.code == 3

    def test_altered_bundle(
        self, one_view_bundle: Path, one_view_study: Path, tmp_path: Path, invoke: Invoke
    ) -> None:
        bundle = tmp_path / "b.analyte"
        shutil.copytree(one_view_bundle, bundle)
        (bundle / "model.onnx").write_bytes((bundle / "model.onnx").read_bytes() + b" ")
        outcome = invoke("evaluate", bundle, one_view_study)
        assert (outcome.code, outcome.stdout) == (7, "")
        assert "model.onnx" in outcome.stderr


@pytest.fixture(scope="module")
def unmarked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A dataset without a split column, and a run whose splits were drawn with seed 12."""
    folder = tmp_path_factory.mktemp("unmarked")
    study = write_study(folder / "study", Study(samples=72, split=False))
    train_run(study, folder / "run", epochs=1, seed=12)
    return study, folder / "run"


class TestWhichSamples:
    """A model is never judged on what it was trained on."""

    def copy(self, study: Path, folder: Path, edit: Callable[[list[str]], list[str]]) -> Path:
        shutil.copytree(study, folder)
        header, *rows = (folder / "labels.csv").read_text("utf-8").splitlines()
        (folder / "labels.csv").write_text("\n".join([header, *edit(rows), ""]), "utf-8")
        return folder

    def set_aside(self, run: Path) -> set[str]:
        return {name for name, split in load_record(run).splits.items() if split == "test"}

    def test_own_data_without_split_column(self, unmarked: tuple[Path, Path]) -> None:
        study, run = unmarked
        chosen = choose_samples(load_dataset(study), open_subject(run))
        assert (chosen.split, chosen.seen) == ("test", 60)
        assert {s.id for s in chosen.dataset.samples} == self.set_aside(run)
        assert len(self.set_aside(run)) == 12

    def test_own_data_in_another_place_and_order(self, unmarked: tuple[Path, Path], tmp_path: Path) -> None:
        study, run = unmarked
        copy = self.copy(study, tmp_path / "elsewhere", lambda rows: rows[::-1])
        chosen = choose_samples(load_dataset(copy), open_subject(run))
        assert chosen.split == "test"
        assert {s.id for s in chosen.dataset.samples} == self.set_aside(run)

    def test_own_data_under_new_names(self, unmarked: tuple[Path, Path], tmp_path: Path) -> None:
        """Samples are known by what they show, not by what they are called."""
        study, run = unmarked

        def rename(rows: list[str]) -> list[str]:
            cells = [row.split(",") for row in rows]
            return [",".join([*cell[:2], f"new{cell[2]}", *cell[3:]]) for cell in cells]

        renamed = self.copy(study, tmp_path / "renamed", rename)
        chosen = choose_samples(load_dataset(renamed), open_subject(run))
        assert {s.id for s in chosen.dataset.samples} == {f"new{name}" for name in self.set_aside(run)}

    def test_new_data_without_split_column(self, unmarked: tuple[Path, Path], tmp_path: Path) -> None:
        other = write_study(tmp_path / "study", Study(samples=24, split=False, seed=9))
        chosen = choose_samples(load_dataset(other), open_subject(unmarked[1]))
        assert (chosen.split, chosen.seen, len(chosen.dataset.samples)) == ("all", 0, 24)

    def test_marked_test_split(self, one_view_run: Path, one_view_study: Path) -> None:
        chosen = choose_samples(load_dataset(one_view_study), open_subject(one_view_run))
        assert (chosen.split, chosen.seen) == ("test", 0)
        assert {s.session for s in chosen.dataset.samples} == {"day5"}

    def test_training_pictures_that_are_marked_as_test(
        self, one_view_run: Path, one_view_study: Path, tmp_path: Path
    ) -> None:
        copy = self.copy(
            one_view_study,
            tmp_path / "marked",
            lambda rows: [row.replace(",train", ",test") if ",day0," in row else row for row in rows],
        )
        dataset = load_dataset(copy)
        assert {s.session for s in dataset.subset("test").samples} == {"day0", "day5"}
        chosen = choose_samples(dataset, open_subject(one_view_run))
        assert (chosen.split, chosen.seen) == ("test", 40)
        assert {s.session for s in chosen.dataset.samples} == {"day5"}

    def test_nothing_but_training_pictures(
        self, unmarked: tuple[Path, Path], tmp_path: Path, invoke: Invoke
    ) -> None:
        study, run = unmarked
        aside = self.set_aside(run)
        copy = self.copy(
            study, tmp_path / "rest", lambda rows: [row for row in rows if row.split(",")[2] not in aside]
        )
        outcome = invoke("evaluate", run, copy)
        assert (outcome.code, outcome.stdout) == (3, "")
        assert "every sample was seen in training or validation" in outcome.stderr


def test_a_path_that_is_not_there_may_be_either(tmp_path: Path, invoke: Invoke) -> None:
    data = tmp_path / "d"
    for value in ("1", "2"):
        (data / value).mkdir(parents=True)
        assert cv2.imwrite(str(data / value / "a.png"), np.full((9, 9, 3), 90, np.uint8))
    outcome = invoke("evaluate", tmp_path / "gone", data, "--unit", "mg/L")
    assert outcome.code == 3
    assert "gone: no such file or folder; expected a run folder or a bundle" in outcome.stderr
