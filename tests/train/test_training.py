"""Training: reproducible by its seed, blind to the test split, and a run folder that export can use."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections import Counter
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest

from analyte.contract.covariates import CovariateSpec
from analyte.contract.dataset import Dataset, Sample, View
from analyte.contract.errors import DatasetError
from analyte.contract.labels_file import load_dataset
from analyte.contract.pictures import load_pictures
from analyte.contract.preprocessing import Box, PreprocessingSpec
from analyte.contract.run import RunRecord, load_record, load_samples
from analyte.train import training
from analyte.train.fitting import Fit, predict
from analyte.train.parts import choose_size, load_part
from analyte.train.recipes.registry import RECIPES
from analyte.train.run_writer import write_run
from analyte.train.settings import train_settings
from analyte.train.training import Trained, fit_one, train
from train.tiny_studies import SESSIONS, Study, split_dataset, train_run, write_study

RECIPE = dataclasses.replace(RECIPES["isotropic"], size_step=8, min_size=16)


class TestChooseSize:
    """The edge of the network's picture."""

    def size(self, study: Path, asked: int | None, *regions: Box | None) -> int:
        dataset = load_dataset(study)
        first = dataset.samples[0]
        samples: list[Sample] = [
            dataclasses.replace(first, views=(View(first.views[0].path, region, 0),)) for region in regions
        ]
        return choose_size(Dataset(dataset.root, dataset.spec, tuple(samples)), RECIPE, asked)

    def test_as_asked(self, one_view_study: Path) -> None:
        assert self.size(one_view_study, 24, Box(x=0, y=0, w=500, h=500)) == 24

    @pytest.mark.parametrize("asked", [8, 20, 17])
    def test_that_does_not_fit_the_recipe(self, one_view_study: Path, asked: int) -> None:
        with pytest.raises(DatasetError, match=rf"--size {asked}.*multiple of 8 px, at least 16"):
            self.size(one_view_study, asked, None)

    @pytest.mark.parametrize(
        ("sides", "expected"),
        [([], 40), ([500], 64), ([64], 64), ([63], 56), ([500, 31], 24), ([16], 16), ([5], 16)],
    )
    def test_automatic(self, one_view_study: Path, sides: list[int], expected: int) -> None:
        """Never larger than the smallest region's shorter side: enlarging adds nothing."""
        regions = [Box(x=0, y=0, w=side + 7, h=side) for side in sides] or [None]
        assert self.size(one_view_study, None, *regions) == expected


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A training that held every session out once."""
    dataset = split_dataset(write_study(tmp_path_factory.mktemp("folds") / "study", Study(samples=72)))
    settings = train_settings(
        dataset.spec, size=16, epochs=2, batch_size=32, head="linear", augment="none", folds="session"
    )
    return train(dataset, settings)


class TestFolds:
    """Intervals of a run with folds are multiples of the sigma that its own network gives."""

    def test_every_session_is_new_once(self, trained: Trained) -> None:
        found = trained.folds
        assert found is not None
        assert set(found.new_by) == {f"day{i}" for i in range(SESSIONS - 1)}
        assert len(found.records) == SESSIONS - 1

    def test_same_sigma_in_folds_and_network(self, trained: Trained) -> None:
        """A fold's own sigma is that of other residuals: its multiples mean nothing for the network."""
        found = trained.folds
        assert found is not None
        sigma = predict(trained.core, trained.val.data)["sigma"]
        np.testing.assert_allclose(found.sigma, sigma[0], rtol=1e-6)

    def test_the_interval_is_as_wide_as_the_errors_are(self, trained: Trained, tmp_path: Path) -> None:
        record = write_run(trained, tmp_path)
        found = trained.folds
        assert found is not None
        largest = np.abs(found.value - found.true).max()
        assert record.interval.groups == SESSIONS - 1
        assert 0.5 * largest < record.median_half_width < 3.0 * largest


def test_ctrl_c_while_fine_tuning_keeps_what_was_fitted_before(
    one_view_study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    dataset = split_dataset(one_view_study)
    settings = train_settings(dataset.spec, recipe="transfer-mobilenetv3", size=32, epochs=10)

    def fit(core: keras.Model, *_: object, **__: object) -> Fit:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return Fit([{"epoch": 1, "loss": 1.0, "val_mae": 2.0}], 1, interrupted=False)

    monkeypatch.setattr(training, "fit", fit)
    monkeypatch.setattr(training, "load_backbone_weights", lambda *_: None)
    settings = dataclasses.replace(settings, weights=Path("any.weights.h5"))
    part = load_part(dataset, "val", PreprocessingSpec(size=32))
    core, done = fit_one(dataset, settings, 32, CovariateSpec(), part, part, seed=0)
    assert done.interrupted
    assert (done.best_epoch, len(done.history), len(calls)) == (1, 1, 2)
    assert np.isfinite(predict(core, part.data)["value"]).all()


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, RunRecord]]:
    """Runs and their records: two of one seed, one of another."""
    folder = tmp_path_factory.mktemp("seeds")
    study = write_study(folder / "study", Study(samples=72))
    return {
        name: (folder / name, train_run(study, folder / name, epochs=2, seed=seed))
        for name, seed in (("first", 3), ("again", 3), ("other", 4))
    }


class TestSeed:
    """The same seed gives the same network; nothing else decides."""

    def weights(self, run: Path) -> list[np.ndarray]:
        return keras.saving.load_model(run / "model.keras", compile=False).get_weights()

    def test_same(self, records: dict[str, tuple[Path, RunRecord]]) -> None:
        (first, a), (again, b) = records["first"], records["again"]
        assert a.validation_mae == b.validation_mae
        assert (a.interval, a.baseline, a.best_epoch, a.splits) == (
            b.interval, b.baseline, b.best_epoch, b.splits,
        )  # fmt: skip
        for one, two in zip(self.weights(first), self.weights(again), strict=True):
            np.testing.assert_array_equal(one, two)
        assert (first / "history.csv").read_bytes() == (again / "history.csv").read_bytes()

    def test_other(self, records: dict[str, tuple[Path, RunRecord]]) -> None:
        (first, a), (other, b) = records["first"], records["other"]
        assert a.validation_mae["keras"] != b.validation_mae["keras"]
        assert any(
            (one != two).any() for one, two in zip(self.weights(first), self.weights(other), strict=True)
        )


class TestRunFolder:
    """What a run holds."""

    def test_files(self, one_view_run: Path) -> None:
        assert {file.name for file in one_view_run.iterdir()} == {
            "model.keras", "run.json", "samples.npz", "history.csv", "predicted.png", "augmentation.png",
            "report.html",
        }  # fmt: skip

    @pytest.mark.parametrize("views", [1, 2])
    def test_record(self, views: int, request: pytest.FixtureRequest) -> None:
        word = {1: "one", 2: "two"}[views]
        run, study = (Path(request.getfixturevalue(f"{word}_view_{what}")) for what in ("run", "study"))
        record, dataset = load_record(run), load_dataset(study)
        assert (record.views, record.label) == (dataset.spec.views, dataset.spec.label)
        assert record.splits == {s.id: s.split for s in dataset.samples}
        assert record.dataset.sha256 == split_dataset(study).digest()
        assert (record.dataset.name, record.dataset.licence) == ("dye", "CC0-1.0")
        assert record.dataset.counts == dataset.counts()
        assert (record.seed, record.recipe, record.interrupted) == (0, "isotropic", False)
        assert record.preprocessing.size == record.settings["size"] == 16
        assert 1 <= record.best_epoch <= record.epochs == 25
        assert record.interval.coverage == 0.95
        assert record.interval.n == dataset.counts()["val"]
        model = keras.saving.load_model(run / "model.keras", compile=False)
        assert record.parameters == model.count_params()

    def test_validation_error_is_that_of_the_saved_model(self, one_view_run: Path) -> None:
        record, samples = load_record(one_view_run), load_samples(one_view_run)
        model = keras.saving.load_model(one_view_run / "model.keras", compile=False)
        values = keras.ops.convert_to_numpy(model(samples.val_images[:, 0])["value"])
        mae = float(np.abs(values - samples.val_values).mean())
        assert record.validation_mae["keras"] == pytest.approx(mae, abs=1e-5)
        baseline = float(np.abs(record.baseline.predict(samples.val_images) - samples.val_values).mean())
        assert record.validation_mae["baseline"] == pytest.approx(baseline)

    def test_history(self, one_view_run: Path) -> None:
        record = load_record(one_view_run)
        with (one_view_run / "history.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert list(rows[0]) == ["epoch", "loss", "val_mae", "learning_rate"]
        assert [int(row["epoch"]) for row in rows] == list(range(1, record.epochs + 1))
        errors = [float(row["val_mae"]) for row in rows]
        # The best epoch's weights were kept: its error is what the record states, but for folding.
        assert int(np.argmin(errors)) + 1 == record.best_epoch
        assert min(errors) == pytest.approx(record.validation_mae["keras"], abs=1e-4)
        assert float(rows[-1]["loss"]) < float(rows[0]["loss"])

    def test_interval_covers_validation(self, one_view_run: Path) -> None:
        record, samples = load_record(one_view_run), load_samples(one_view_run)
        model = keras.saving.load_model(one_view_run / "model.keras", compile=False)
        out = model(samples.val_images[:, 0])
        value, sigma = (keras.ops.convert_to_numpy(out[name]) for name in ("value", "sigma"))
        within = np.abs(value - samples.val_values) <= record.interval.quantile * sigma * (1 + 1e-5)
        assert within.mean() >= 0.95
        half_width = record.interval.quantile * float(np.median(sigma))
        assert record.median_half_width == pytest.approx(half_width, rel=1e-4)

    def test_no_test_sample_travels(self, one_view_run: Path, one_view_study: Path) -> None:
        record, samples = load_record(one_view_run), load_samples(one_view_run)
        dataset = load_dataset(one_view_study)
        tested = load_pictures(dataset.subset("test").samples, record.preprocessing, where="test")
        secret = {picture.tobytes() for picture in tested}
        kept = {picture.tobytes() for picture in (*samples.train_images, *samples.val_images)}
        assert len(secret) == dataset.counts()["test"]
        assert not secret & kept
        assert not {f"day{SESSIONS - 1}"} & {*samples.train_sessions, *samples.val_sessions}
        assert not set(samples.train_sessions) & set(samples.val_sessions)

    def test_picture(self, one_view_run: Path) -> None:
        data = (one_view_run / "predicted.png").read_bytes()
        assert data.startswith(b"\x89PNG\r\n\x1a\n")
        picture = cv2.imread(str(one_view_run / "predicted.png"))
        assert picture is not None
        assert picture.std() > 10


def test_learns(one_view_run: Path, two_view_run: Path) -> None:
    """Far better than the mean of the range, which is off by a quarter of it."""
    for run in (one_view_run, two_view_run):
        record = load_record(run)
        assert record.validation_mae["keras"] < 0.1 * record.label.span
        assert record.validation_mae["baseline"] < 0.03 * record.label.span


def test_calibration_samples_cover_sessions_and_levels(tmp_path: Path) -> None:
    """Of more than 512 training samples some are chosen: from every session, over all of its values."""
    study = write_study(tmp_path / "study", Study(samples=960))
    thin_out(study, "day0", keep=40)
    train_run(study, tmp_path / "run", epochs=1, batch_size=128, augment="none")
    samples = load_samples(tmp_path / "run")
    assert len(samples.train_values) == 512
    count = Counter(samples.train_sessions)
    # Days 1 to 3 have 160 samples each and share what day 0, which has only 40, leaves: 472.
    assert count["day0"] == 40
    assert all(157 <= count[f"day{day}"] <= 158 for day in (1, 2, 3))
    for day in count:
        values = samples.train_values[[session == day for session in samples.train_sessions]]
        histogram, _ = np.histogram(values, bins=5, range=(0.0, 10.0))
        assert histogram.min() >= 0.5 * histogram.mean(), f"{day} covers its levels unevenly: {histogram}"
    assert len({picture.tobytes() for picture in samples.train_images}) == 512


def thin_out(study: Path, session: str, keep: int) -> None:
    """Drop rows of one session, evenly over its values."""
    lines = (study / "labels.csv").read_text("utf-8").splitlines()
    header, rows = lines[0], lines[1:]
    mine = sorted((r for r in rows if f",{session}," in r), key=lambda r: float(r.split(",")[1]))
    kept = set(mine[:: len(mine) // keep][:keep])
    rest = [row for row in rows if row not in set(mine) or row in kept]
    (study / "labels.csv").write_text("\n".join([header, *rest, ""]), "utf-8")


def test_few_training_samples_are_refused(tmp_path: Path) -> None:
    study = write_study(tmp_path / "study", Study(samples=9))
    with pytest.raises(DatasetError, match="too few training samples; expected at least 8; got 7"):
        train_run(study, tmp_path / "run", epochs=1)


def test_record_is_the_json_that_is_stated(one_view_run: Path) -> None:
    data = json.loads((one_view_run / "run.json").read_text("utf-8"))
    assert data["schema_version"] == 1
    assert {"size", "augment", "epochs", "patience", "batch_size", "learning_rate"} <= set(data["settings"])
    assert {"analyte", "tensorflow", "keras", "numpy", "python"} <= set(data["versions"])


def test_what_it_started_from_is_recorded(tmp_path: Path) -> None:
    """The name of a file of weights says nothing: another one may have it tomorrow."""
    study = write_study(tmp_path / "study", Study(samples=72))
    dataset = split_dataset(study)
    trained = train(dataset, train_settings(dataset.spec, size=16, epochs=1, batch_size=32))
    weights = tmp_path / "net.weights.h5"
    weights.write_bytes(b"abc")
    settings = dataclasses.replace(trained.settings, weights=weights)
    (tmp_path / "run").mkdir()
    record = write_run(dataclasses.replace(trained, settings=settings), tmp_path / "run")
    # The digest of "abc" in FIPS 180-2, appendix B.1.
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert (record.settings["weights"], record.settings["weights_sha256"]) == (weights.name, digest)
    assert record.settings["workers"] == 1
