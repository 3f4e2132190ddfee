"""Every means of the ladder keeps what the model says, and is climbed only where the cheaper ones fail."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from analyte.contract.manifest import Manifest
from analyte.contract.run import load_samples
from analyte.export import formats
from analyte.export.fake_quantization import quantized_like_a_device
from analyte.export.formats import FORMATS
from analyte.export.gate import Judged
from analyte.export.ladder import RUNGS, Ladder
from analyte.export.quantize_tflite import quantize_tflite
from analyte.export.sensitivity import layer_losses
from analyte.export.source import Source
from analyte.export.trained_model import load_model, predict
from analyte.runtime.engines.registry import open_engine
from conftest import Invoke
from export.uneven_networks import unbalanced


@pytest.fixture(scope="module")
def run(one_view_run: Path) -> Path:
    return one_view_run


@pytest.fixture(scope="module")
def source(run: Path) -> Source:
    return Source(load_model(run / "model.keras"), load_samples(run).train_images)


def error_of(source: Source, exact: np.ndarray, pictures: np.ndarray) -> float:
    """Mean deviation of the features of tflite-int8 from those of Keras, relative to their spread."""
    said = open_engine(FORMATS["tflite-int8"].convert(source), "litert", "cpu").run(pictures).features
    return float(np.abs(said - exact).mean() / exact.std())


def test_each_rung_says_what_the_model_says(source: Source, run: Path) -> None:
    pictures = load_samples(run).val_images
    exact = predict(source.model, pictures)
    rungs = dict(Ladder(source).climb(floats=False))
    assert tuple(rungs) == RUNGS[:-1]
    for rung, made in rungs.items():
        said = predict(made.model, pictures)
        # Equalization is exact; the others move the float model by about as much as integers would.
        tolerance = 1e-4 if rung in ("refit", "equalization") else 0.1
        assert float(np.abs(said.value - exact.value).max()) <= tolerance, rung
        assert made.features is rungs["refit"].features or np.array_equal(
            made.features, rungs["refit"].features
        )


def test_equalization_mends_channels_of_different_size(source: Source, run: Path) -> None:
    pictures = load_samples(run).val_images
    exact = predict(source.model, pictures).features
    crooked = source.with_model(unbalanced(source.model))
    np.testing.assert_allclose(predict(crooked.model, pictures).features, exact, rtol=1e-3, atol=1e-4)
    rungs = dict(Ladder(crooked).climb(floats=False))
    before, after = (error_of(rungs[rung], exact, pictures) for rung in ("refit", "equalization"))
    assert after < 0.7 * before
    assert error_of(rungs["fine-tuning"], exact, pictures) < 0.8 * before


def small_network(
    *, cut: float | None = None, twice: bool = False, bias: bool = True, covariates: int = 0
) -> keras.Model:
    """A network by hand that follows the graph contract, of layers that training here does not use."""
    layers = keras.layers
    keras.utils.set_random_seed(3)
    image = keras.Input((16, 16, 3), dtype="uint8", name="image")
    x = layers.Rescaling(1 / 255)(keras.ops.cast(image, "float32"))
    x = layers.ReLU(max_value=cut)(layers.Conv2D(8, 3, padding="same", use_bias=bias)(x))
    x = layers.ReLU(max_value=cut)(layers.Conv2D(8, 3, padding="same", use_bias=bias)(x))
    last = layers.Conv2D(8, 3, padding="same", use_bias=bias)
    x = layers.ReLU(max_value=cut)(last(x))
    x = layers.ReLU()(last(x)) if twice else x
    features = layers.Identity(name="features")(layers.GlobalAveragePooling2D()(x))
    beside = [keras.Input((covariates,), name="covariates")] if covariates else []
    known = layers.Concatenate()([features, *beside]) if beside else features
    value, sigma = (layers.Dense(1)(known)[:, 0] for _ in range(2))
    outputs = {"value": value, "sigma": keras.ops.abs(sigma) + 1.0, "features": features}
    return keras.Model({"image": image, "covariates": beside[0]} if beside else image, outputs)


@pytest.mark.parametrize(
    "options", [{}, {"cut": 0.05}, {"twice": True}, {"bias": False}], ids=["plain", "cut", "twice", "no-bias"]
)
def test_networks_made_otherwise(options: dict[str, Any], run: Path) -> None:
    images = load_samples(run).train_images
    exact = small_network(**options)
    wanted = predict(exact, images)
    for rung, made in Ladder(Source(exact, images)).climb(floats=False):
        said = predict(made.model, images).features
        if rung in ("refit", "equalization"):
            np.testing.assert_allclose(said, wanted.features, rtol=1e-3, atol=1e-5)
        assert float(np.abs(said - wanted.features).max()) <= 0.2 * float(wanted.features.std() + 1e-3), rung


def test_covariates_go_with_every_rung(run: Path) -> None:
    images = load_samples(run).train_images[::3]
    covariates = np.random.default_rng(0).normal(size=(len(images), 2)).astype(np.float32)
    exact = small_network(covariates=2)
    wanted = predict(exact, images, covariates)
    # They matter, or nothing is tested.
    assert float(np.abs(predict(exact, images, 0 * covariates).value - wanted.value).max()) > 0.5
    for rung, made in Ladder(Source(exact, images, covariates)).climb(floats=False):
        np.testing.assert_array_equal(made.features, wanted.features)
        engine = open_engine(FORMATS["tflite-int8"].convert(made), "litert", "cpu")
        said = engine.run(images, covariates)
        engine.close()
        assert float(np.abs(said.value - wanted.value).max()) < 0.05, rung


def test_filters_without_weight_keep_their_bias(run: Path) -> None:
    images = load_samples(run).train_images
    model = small_network()
    layer = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)][1]
    kernel, bias = layer.get_weights()
    kernel[..., ::2], bias[::2] = 0.0, 0.7
    layer.set_weights([kernel, bias])
    exact = predict(model, images).features
    for name in ("tflite-int8", "tflite-int16x8", "onnx-int8"):
        entry = FORMATS[name]
        said = open_engine(entry.convert(Source(model, images)), entry.engine, "cpu").run(images).features
        assert float(np.abs(said - exact).mean() / exact.std()) < 0.05, name


def test_layers_stay_in_float_at_last(source: Source, run: Path) -> None:
    """Those that lose most, ever more of them, and never nearly all."""
    rungs = list(Ladder(source).climb(floats=True))
    kept = [made.keep_float for rung, made in rungs if rung == RUNGS[-1]]
    assert [rung for rung, _ in rungs[: -len(kept)]] == list(RUNGS[:-1])
    losses = layer_losses(source, judged_on(source))
    worst = [loss.layer for loss in losses]
    assert kept[0] == {worst[0]}
    assert all(few < more for few, more in itertools.pairwise(kept))
    assert len(kept[-1]) <= 3 * len(worst) // 4
    pictures = load_samples(run).val_images
    exact = predict(source.model, pictures).features
    crooked = source.with_model(unbalanced(source.model))
    assert error_of(crooked.keeping(worst), exact, pictures) < 0.5 * error_of(crooked, exact, pictures)


def judged_on(source: Source) -> Judged:
    said = predict(source.model, source.recorded)
    return Judged(source.recorded, said.value.astype(np.float64), said)


def test_manifest_says_which_layers_the_ladder_left_in_float(
    run: Path, tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A conversion that only works with a layer in float: integers in and out have no such means."""
    plain = FORMATS["tflite-int8"].convert

    def picky(source: Source) -> bytes:
        if source.keep_float:
            return plain(source)
        copy = keras.models.clone_model(source.model)
        copy.set_weights([weights * 1.2 for weights in source.model.get_weights()])
        return FORMATS["tflite"].convert(dataclasses.replace(source, model=copy))

    for name, code in (("tflite-int8", 0), ("tflite-int8-strict", 4)):
        entry = dataclasses.replace(FORMATS[name], convert=picky)
        monkeypatch.setitem(formats.FORMATS, name, entry)
        outcome = invoke("export", run, "-o", tmp_path / name, "--format", name)
        assert outcome.code == code, outcome.stdout + outcome.stderr
    manifest = Manifest.model_validate_json((tmp_path / "tflite-int8" / "manifest.json").read_text())
    (artifact,) = manifest.artifacts
    assert artifact.quantized_by == "float layers"
    assert len(artifact.kept_float) == 1
    assert artifact.kept_float[0] in (tmp_path / "tflite-int8" / "card.md").read_text()


def test_climbs_until_it_passes(
    run: Path, tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A conversion that only works once something was done about the model."""
    plain = FORMATS["tflite"].convert
    seen: list[Source] = []

    def picky(source: Source) -> bytes:
        seen.append(source)
        if source.exact is not None:
            return plain(dataclasses.replace(source, model=seen[0].model))
        copy = keras.models.clone_model(source.model)
        copy.set_weights([weights * 1.05 for weights in source.model.get_weights()])
        return plain(dataclasses.replace(source, model=copy))

    entry = dataclasses.replace(FORMATS["tflite-int8"], convert=picky)
    monkeypatch.setitem(formats.FORMATS, "tflite-int8", entry)
    outcome = invoke("export", run, "-o", tmp_path / "b", "--format", "tflite-int8")
    assert outcome.code == 0, outcome.stdout + outcome.stderr
    (artifact,) = Manifest.model_validate_json((tmp_path / "b" / "manifest.json").read_text()).artifacts
    assert artifact.quantized_by == "equalization"
    assert len(seen) == 2
    assert "equalization" in outcome.stdout


def test_depthwise_convolutions_round_like_a_device(run: Path) -> None:
    images = load_samples(run).train_images[::2]
    layers = keras.layers
    keras.utils.set_random_seed(4)
    image = keras.Input((16, 16, 3), dtype="uint8", name="image")
    x = layers.ReLU()(layers.Conv2D(6, 3, padding="same")(layers.Rescaling(1 / 255)(image)))
    x = layers.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=2, name="deep")(x)
    features = layers.Identity(name="features")(layers.GlobalAveragePooling2D()(layers.ReLU(6.0)(x)))
    value = layers.Dense(1)(features)[:, 0]
    exact = keras.Model(image, {"value": value, "sigma": value * 0.0 + 1.0, "features": features})
    fake = quantized_like_a_device(exact, Source(exact, images))
    assert fake.layers == ("deep",)
    said, wanted = (predict(model, images).features for model in (fake.model, exact))
    apart = np.abs(said - wanted).max()
    assert 0.0 < apart < 0.02 * wanted.max()
    device = open_engine(
        quantize_tflite(Source(exact, images).tflite, Source(exact, images).tflite_ranges), "litert", "cpu"
    )
    assert np.abs(device.run(images).features - said).max() < 0.01 * wanted.max()
