"""Covariates from a run folder to every format: Keras' numbers, and the trunk is still quantized."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import onnx
import pytest

from analyte.contract.arrays import Float32Array, Float64Array, UInt8Array
from analyte.contract.bundle import Bundle, open_bundle
from analyte.contract.covariates import CategoricalCovariate, CovariateSpec, NumericCovariate
from analyte.contract.foreign import calibrate_foreign
from analyte.contract.interval import calibrate_interval
from analyte.contract.label import LabelSpec
from analyte.contract.preprocessing import PreprocessingSpec
from analyte.contract.run import DatasetRecord, RunRecord, RunSamples, load_samples, save_record
from analyte.export.formats import FORMATS
from analyte.export.trained_model import load_model, predict
from analyte.runtime.engines.registry import open_engine
from conftest import Invoke
from runtime.tiny_bundles import flat_curve

SIZE = 16
SPEC = CovariateSpec(
    numeric=(NumericCovariate(name="temperature", range=(10.0, 30.0)),),
    categorical=(CategoricalCovariate(name="lot", categories=("A", "B")),),
)
LABEL = LabelSpec(analyte="dye", unit="mg/L", range=(0.0, 10.0))
VIEWS = {1: ("sample",), 2: ("reference", "sample")}
STANDARD = [name for name, entry in FORMATS.items() if entry.standard]


def network(views: int) -> keras.Model:
    """A network whose value rises by 0.05 per degree and by 1 for lot B, whatever the picture."""
    layers = keras.layers
    keras.utils.set_random_seed(views)
    shape = (SIZE, SIZE, 3) if views == 1 else (views, SIZE, SIZE, 3)
    image = keras.Input(shape, dtype="uint8", name="image")
    beside = keras.Input((2,), dtype="float32", name="covariates")
    pictures = layers.Rescaling(1.0 / 255.0)(keras.ops.cast(image, "float32"))
    pictures = keras.ops.reshape(pictures, (-1, SIZE, SIZE, 3))
    pictures = layers.Conv2D(8, 3, activation="relu", padding="same")(pictures)
    pictures = layers.AveragePooling2D(2)(pictures)
    pictures = layers.Conv2D(8, 3, activation="relu", padding="same")(pictures)
    features = layers.GlobalAveragePooling2D()(pictures)
    features = keras.ops.reshape(features, (-1, views * 8))
    features = layers.Identity(name="features")(features)
    lots = keras.ops.one_hot(keras.ops.cast(beside[:, 1], "int32"), 2)
    joined = keras.ops.concatenate([features, beside[:, :1], lots], axis=-1)
    slopes = np.concatenate([np.linspace(-2, 3, views * 8), [0.05, 0.0, 1.0]])
    value = layers.Dense(
        1,
        kernel_initializer=keras.initializers.Constant(slopes[:, np.newaxis].tolist()),
        bias_initializer=keras.initializers.Constant(2.0),
        name="head_value",
    )(joined)[:, 0]
    sigma = layers.Rescaling(0.0, 0.3)(value)
    return keras.Model(
        {"image": image, "covariates": beside}, {"value": value, "sigma": sigma, "features": features}
    )


def samples_of(count: int, views: int, seed: int) -> tuple[UInt8Array, Float32Array]:
    rng = np.random.default_rng(seed)
    levels = rng.integers(30, 220, (count, views, 1, 1, 3))
    images = levels + rng.integers(-20, 20, (count, views, SIZE, SIZE, 3))
    covariates = np.stack([rng.uniform(10, 30, count), rng.integers(0, 2, count)], axis=1)
    return np.clip(images, 0, 255).astype(np.uint8), covariates.astype(np.float32)


def write_run(folder: Path, views: int) -> Path:
    folder.mkdir()
    model = network(views)
    model.save(folder / "model.keras")
    train, beside = samples_of(60, views, 1)
    val, val_beside = samples_of(80, views, 2)
    days = [f"day{index % 4}" for index in range(80)]
    said = predict(model, val, val_beside)
    true: Float64Array = said.value + np.random.default_rng(3).normal(0, 0.2, 80)
    interval = calibrate_interval(
        true, said.value.astype(float), said.sigma.astype(float), coverage=0.95, groups=days
    )
    preprocessing = PreprocessingSpec(size=SIZE)
    record = RunRecord(
        recipe="by hand",
        settings={},
        seed=0,
        label=LABEL,
        views=VIEWS[views],
        covariates=SPEC,
        rotation_invariant=True,
        preprocessing=preprocessing,
        parameters=model.count_params(),
        dataset=DatasetRecord(name="dye", sha256="0" * 64, licence="", counts={}, seen=()),
        splits={},
        baseline=flat_curve(views),
        interval=interval,
        disagreement_limit=100.0,
        foreign=calibrate_foreign(
            predict(model, train, beside).features, said.features, train_groups=days[:60], val_groups=days
        ),
        median_half_width=0.3,
        validation_mae={"keras": 0.2, "baseline": 2.0},
        epochs=1,
        best_epoch=1,
        interrupted=False,
        seconds=1.0,
        versions={},
        created_at="2026-01-01T00:00:00+00:00",
    )
    save_record(record, folder)
    RunSamples(
        train, predict(model, train, beside).value.astype(np.float64), tuple(days[:60]),
        val, true, tuple(days), beside, val_beside,
    ).save(folder)  # fmt: skip
    return folder


@pytest.fixture(scope="module", params=[1, 2], ids=["one view", "two views"])
def views(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(scope="module")
def run(views: int, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("run") / "run", views)


@pytest.fixture(scope="module")
def bundle(run: Path, tmp_path_factory: pytest.TempPathFactory, invoke: Invoke) -> Bundle:
    path = tmp_path_factory.mktemp("bundle") / "b.analyte"
    outcome = invoke("export", run, "-o", path)
    assert outcome.code == 0, f"{outcome.stdout}\n{outcome.stderr}"
    return open_bundle(path)


def test_the_bundle_knows_them(bundle: Bundle, run: Path, views: int) -> None:
    assert bundle.manifest.covariates == SPEC
    assert bundle.manifest.foreign is not None
    golden = bundle.golden_set()
    assert golden.covariates.shape == (len(golden.images), 2)
    # The golden values are those of the golden covariates.
    model = load_model(run / "model.keras")
    np.testing.assert_array_equal(predict(model, golden.images, golden.covariates).value, golden.value)
    card = (bundle.path / "card.md").read_text("utf-8")
    assert "A reading also needs temperature (10 to 30), lot (2 known)" in card
    assert "of new groups (sessions), on 80 samples of 4 groups" in card


@pytest.mark.parametrize("name", STANDARD)
def test_every_format_says_what_keras_says(bundle: Bundle, run: Path, views: int, name: str) -> None:
    artifact = bundle.artifact(name)
    engine = open_engine(bundle.read(artifact), artifact.engine)
    assert (engine.shape.covariates, engine.shape.views) == (2, views)
    images, covariates = samples_of(23, views, 5)
    # A lot that training did not see is none of them, in every engine alike.
    covariates[:5, 1] = 2.0
    exact = predict(load_model(run / "model.keras"), images, covariates)
    tolerance = (1e-5 if artifact.precision == "float32" else 1e-2) * LABEL.span
    for start, n in ((0, 1), (1, 7), (0, 23)):
        said = engine.run(images[start : start + n], covariates[start : start + n])
        assert np.abs(said.value - exact.value[start : start + n]).max() <= tolerance
        np.testing.assert_allclose(said.sigma, 0.3, rtol=1e-5)
    # By exactly as much as the head says, and not through the quantized trunk.
    warmer = covariates + np.array([4.0, 0.0], np.float32)
    np.testing.assert_allclose(engine.run(images, warmer).value - said.value, 0.2, atol=1e-5)
    np.testing.assert_array_equal(engine.run(images, warmer).features, said.features)


def test_int8_trunk(bundle: Bundle) -> None:
    graph = onnx.load_from_string(bundle.read(bundle.artifact("onnx-int8"))).graph
    made_by = {output: node.op_type for node in graph.node for output in node.output}
    _, *trunk = (node for node in graph.node if node.op_type == "Conv")
    assert trunk
    assert all(made_by[node.input[0]] == made_by[node.input[1]] == "DequantizeLinear" for node in trunk)


def test_parity_and_selftest(bundle: Bundle, invoke: Invoke) -> None:
    for command in ("parity", "selftest"):
        outcome = invoke(command, bundle.path, "--json")
        assert outcome.code == 0, outcome.stderr
        assert json.loads(outcome.stdout)["passed"]


def write_dataset(folder: Path, views: int, *, column: str = "temperature") -> tuple[Path, Float64Array]:
    """Photographs whose values are what the network says of them, one of a lot that it does not know."""
    images, covariates = samples_of(12, views, 7)
    covariates[0, 1] = 2.0
    model = network(views)
    values = np.clip(predict(model, images, covariates).value, 0.0, 10.0).astype(np.float64)
    (folder / "images").mkdir(parents=True)
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "value", "sample", "view", column, "lot"])
        for index in range(12):
            for at, view in enumerate(VIEWS[views]):
                name = f"images/{index}-{view}.png"
                assert cv2.imwrite(str(folder / name), images[index, at, :, :, ::-1])
                degrees, lot = float(covariates[index, 0]), "ABC"[int(covariates[index, 1])]
                writer.writerow([name, repr(float(values[index])), index, view, repr(degrees), lot])
    named = ", ".join(f'"{view}"' for view in VIEWS[views])
    (folder / "dataset.toml").write_text(
        f'name = "dye"\nanalyte = "dye"\nunit = "mg/L"\nrange = [0.0, 10.0]\nviews = [{named}]\n'
        f'covariates = ["{column}"]\ncategorical_covariates = ["lot"]\n',
        "utf-8",
    )
    return folder, values


def test_evaluate(bundle: Bundle, run: Path, views: int, tmp_path: Path, invoke: Invoke) -> None:
    data, _ = write_dataset(tmp_path / "d", views)
    outcome = invoke("evaluate", bundle.path, data, "--json")
    assert outcome.code == 0, outcome.stderr
    rows: dict[str, dict[str, Any]] = {row["name"]: row for row in json.loads(outcome.stdout)["results"]}
    # Right covariates give the network's own values; the sample of the unknown lot counts and is refused.
    assert rows["keras"]["n"] == 12
    assert rows["keras"]["mae"] < 1e-5
    assert all(rows[name]["mae"] < 0.1 for name in STANDARD)
    assert all(rows[name]["refused"] >= 1 / 12 for name in ("keras", *STANDARD))
    assert invoke("evaluate", run, data, "--json").code == 0


def test_dataset_without_a_covariate(run: Path, views: int, tmp_path: Path, invoke: Invoke) -> None:
    data, _ = write_dataset(tmp_path / "d", views, column="warmth")
    outcome = invoke("evaluate", run, data)
    assert outcome.code == 3
    assert "has no covariate 'temperature', which the model takes" in outcome.stderr
    assert "got warmth, lot" in outcome.stderr


def test_samples_come_back(run: Path, views: int, tmp_path: Path) -> None:
    samples = load_samples(run)
    np.testing.assert_array_equal(samples.train_covariates, samples_of(60, views, 1)[1])
    np.testing.assert_array_equal(samples.val_covariates, samples_of(80, views, 2)[1])
    bare = RunSamples(
        samples.train_images, samples.train_values, samples.train_sessions,
        samples.val_images, samples.val_values, samples.val_sessions,
    )  # fmt: skip
    assert (bare.train_covariates.shape, bare.val_covariates.shape) == ((60, 0), (80, 0))
    bare.save(tmp_path)
    assert load_samples(tmp_path).val_covariates.shape == (80, 0)
