"""What every engine must do, asked of each in the same words."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from analyte.contract.errors import InputError, IntegrityError, UnavailableError
from analyte.contract.manifest import EngineName
from analyte.contract.sections.engine import EngineSection
from analyte.runtime.engines.protocol import Engine
from analyte.runtime.engines.registry import ENGINES, open_engine, open_from_profile
from runtime.tiny_bundles import SIGMA, expected_value, onnx_model, random_images, tflite_model

Models = dict[tuple[EngineName, int], bytes]
EVERY = [("onnx", "cpu"), ("litert", "xnnpack"), ("litert", "cpu"), ("litert", "reference")]


def check_run(engine: Engine, views: int, n: int, seed: int) -> None:
    images = random_images(n, views, seed)
    prediction = engine.run(images)
    assert prediction.value.shape == prediction.sigma.shape == (n,)
    assert prediction.features.shape == (n, 3 * views)
    assert {a.dtype for a in (prediction.value, prediction.sigma, prediction.features)} == {np.dtype("f4")}
    # Means of 256 pixels in float32: a few units in the last place of 100.
    np.testing.assert_allclose(prediction.value, expected_value(images), atol=1e-4)
    np.testing.assert_allclose(prediction.sigma, SIGMA)
    means = images.mean(axis=(2, 3)).reshape(n, -1) / 255.0
    np.testing.assert_allclose(prediction.features, means, atol=1e-5)


@pytest.mark.parametrize(("name", "provider"), EVERY)
@pytest.mark.parametrize("views", [1, 2])
@pytest.mark.parametrize("threads", [1, 2])
def test_batches_views_and_threads(
    models: Models, name: EngineName, provider: str, views: int, threads: int
) -> None:
    engine = open_engine(models[name, views], name, provider, threads)
    for seed, n in enumerate((1, 7, 1, 7, 2)):
        check_run(engine, views, n, seed)
    engine.close()
    engine.close()


@pytest.mark.parametrize(("name", "provider"), EVERY)
@pytest.mark.parametrize("views", [1, 2])
def test_covariates(name: EngineName, provider: str, views: int) -> None:
    make = onnx_model if name == "onnx" else tflite_model
    engine = open_engine(make(views, covariates=3), name, provider)
    assert (engine.shape.covariates, engine.shape.views, engine.shape.size) == (3, views, 16)

    def check(n: int, seed: int) -> None:
        images = random_images(n, views, seed)
        covariates = np.random.default_rng(seed).uniform(-50, 50, (n, 3)).astype(np.float32)
        said = engine.run(images, covariates)
        np.testing.assert_allclose(said.value, expected_value(images, covariates), atol=1e-4)

    for seed, n in enumerate((1, 7, 2, 7)):
        check(n, seed)
    images, good = random_images(7, views), np.zeros((7, 3), np.float32)
    bad: list[Any] = [None, good[:, :2], good[:6], good.astype(np.float64), good[0]]
    for covariates in bad:
        with pytest.raises(InputError, match=r"covariates do not fit.*expected float32 \[7, 3\]"):
            engine.run(images, covariates)
    check(7, 9)


@pytest.mark.parametrize("name", ENGINES)
def test_covariates_that_the_graph_does_not_take(models: Models, name: EngineName) -> None:
    engine = open_engine(models[name, 1], name)
    images = random_images(3, 1)
    assert engine.shape.covariates == 0
    with pytest.raises(InputError, match=r"covariates do not fit.*got float32 \[3, 1\]"):
        engine.run(images, np.zeros((3, 1), np.float32))
    none = engine.run(images, np.zeros((3, 0), np.float32)).value
    np.testing.assert_array_equal(none, engine.run(images).value)


@pytest.mark.parametrize(("name", "provider"), EVERY)
def test_says_what_it_is(models: Models, name: EngineName, provider: str) -> None:
    engine = open_engine(models[name, 1], name, provider, 2)
    info = engine.info
    assert (info.engine, info.provider, info.threads) == (name, provider, 2)
    assert info.library in ENGINES[name].libraries
    assert info.version[0].isdigit()
    assert (engine.shape.views, engine.shape.size) == (1, 16)


@pytest.mark.parametrize("name", ENGINES)
def test_earlier_predictions_stay_as_they_are(models: Models, name: EngineName) -> None:
    engine = open_engine(models[name, 1], name)
    first = engine.run(random_images(1, 1, 0))
    before = first.value.copy()
    engine.run(random_images(1, 1, 1))
    np.testing.assert_array_equal(first.value, before)


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize(
    "images",
    [
        np.zeros((1, 2, 16, 16, 3), np.uint8),
        np.zeros((1, 1, 8, 8, 3), np.uint8),
        np.zeros((1, 16, 16, 3), np.uint8),
        np.zeros((0, 1, 16, 16, 3), np.uint8),
        np.zeros((1, 1, 16, 16, 3), np.float32),
    ],
    ids=["views", "size", "rank", "none", "dtype"],
)
def test_refuses_pictures_that_do_not_fit(models: Models, name: EngineName, images: np.ndarray) -> None:
    engine = open_engine(models[name, 1], name)
    with pytest.raises(InputError, match="do not fit the graph"):
        engine.run(images)
    check_run(engine, 1, 1, 0)


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("damage", [lambda m: b"", lambda m: b"not a model" * 9, lambda m: m[: len(m) // 2]])
def test_damaged_model_file(models: Models, name: EngineName, damage: Callable[[bytes], bytes]) -> None:
    with pytest.raises(IntegrityError, match=r"model\.file") as caught:
        open_engine(damage(models[name, 1]), name, where="model.file")
    assert caught.value.exit_code == 7


@pytest.mark.parametrize("name", ENGINES)
def test_missing_model_file(name: EngineName, tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match=r"gone\.onnx.*No such file"):
        open_engine(tmp_path / "gone.onnx", name)


@pytest.mark.parametrize("name", ENGINES)
def test_opens_a_file(models: Models, name: EngineName, tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(models[name, 1])
    check_run(open_engine(tmp_path / "model", name), 1, 3, 0)


@pytest.mark.parametrize("name", ENGINES)
def test_unknown_provider(models: Models, name: EngineName) -> None:
    with pytest.raises(InputError, match=r"engine\.provider: .* no such provider; expected .*; got metal"):
        open_engine(models[name, 1], name, "metal")


@pytest.mark.parametrize(("name", "extra"), [("onnx", "cpu"), ("litert", "litert")])
def test_library_not_installed(
    models: Models, name: EngineName, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for library in ENGINES[name].libraries:
        monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: None)
    with pytest.raises(UnavailableError, match=rf"not installed.*analyte\[{extra}\]"):
        open_engine(models[name, 1], name)


def test_output_of_another_name_is_refused() -> None:
    with pytest.raises(IntegrityError, match="no output 'value'"):
        open_engine(onnx_model(1, value_name="concentration"), "onnx")


class TestStrictProviders:
    """No provider is ever replaced in silence. This machine has no CUDA provider."""

    @pytest.mark.parametrize("provider", ["cuda", "tensorrt", "openvino"])
    def test_absent_provider(self, models: Models, provider: str) -> None:
        with pytest.raises(UnavailableError, match=f"no '{provider}' provider.*pip install") as caught:
            open_engine(models["onnx", 1], "onnx", provider)
        assert caught.value.exit_code == 5

    def test_replaced_provider(self, models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
        import onnxruntime

        # What a CUDA build without a working driver does: it lists CUDA and runs on the CPU.
        listed = ["CUDAExecutionProvider", "CPUExecutionProvider"]
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: listed)
        real = onnxruntime.InferenceSession
        monkeypatch.setattr(
            onnxruntime,
            "InferenceSession",
            lambda model, options, providers, **rest: real(model, options, ["CPUExecutionProvider"], **rest),
        )
        with pytest.raises(UnavailableError, match=r"replaced the 'cuda' provider.*CPUExecutionProvider"):
            open_engine(models["onnx", 1], "onnx", "cuda")

    def test_xnnpack_that_is_not_there(self, models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
        from analyte.runtime.engines import litert

        # A build without XNNPACK runs the same kernels under "AUTO", without an error.
        monkeypatch.setitem(litert.RESOLVERS, "xnnpack", litert.RESOLVERS["cpu"])
        with pytest.raises(UnavailableError, match="XNNPACK runs no part of the model"):
            open_engine(models["litert", 1], "litert", "xnnpack")


class TestProfile:
    """Engines opened as a device profile says."""

    def section(self, provider: str, *fallback: str) -> EngineSection:
        return EngineSection(
            name="onnx", provider=provider, artifacts=("onnx",), fallback=fallback, threads=2
        )

    def test_provider_as_asked(self, models: Models) -> None:
        said: list[str] = []
        engine = open_from_profile(models["onnx", 1], self.section("cpu"), said.append)
        assert (engine.info.provider, engine.info.threads, said) == ("cpu", 2, [])

    def test_no_fallback_listed(self, models: Models) -> None:
        with pytest.raises(UnavailableError, match="no 'cuda' provider"):
            open_from_profile(models["onnx", 1], self.section("cuda"), lambda _: None)

    def test_fallback_is_reported(self, models: Models) -> None:
        said: list[str] = []
        engine = open_from_profile(models["onnx", 1], self.section("cuda", "openvino", "cpu"), said.append)
        assert engine.info.provider == "cpu"
        assert "'cuda' is not available" in said[0]
        assert "'openvino' is not available" in said[1]
        assert said[2] == "using fallback provider 'cpu', as the profile allows"

    def test_no_fallback_there(self, models: Models) -> None:
        with pytest.raises(UnavailableError, match="none of the providers cuda, tensorrt"):
            open_from_profile(models["onnx", 1], self.section("cuda", "tensorrt"), lambda _: None)

    @pytest.mark.parametrize("providers", [("gpu", "cpu"), ("cpu", "gpu")])
    def test_mistyped_provider_is_never_hidden(self, models: Models, providers: tuple[str, str]) -> None:
        with pytest.raises(InputError, match=r"engine\.(provider|fallback): .*got gpu"):
            open_from_profile(models["onnx", 1], self.section(*providers), lambda _: None)


class TestTfliteRuntime:
    """The older library under the newer one's skin; tflite_runtime itself needs numpy 1 and Python 3.11."""

    def install(self, monkeypatch: pytest.MonkeyPatch, interpreter: Any) -> None:
        monkeypatch.setitem(sys.modules, "tflite_runtime", sys)
        monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", interpreter)
        monkeypatch.delitem(sys.modules, "ai_edge_litert.interpreter", raising=False)
        monkeypatch.setitem(sys.modules, "ai_edge_litert", None)

    @pytest.mark.parametrize("provider", ["xnnpack", "cpu", "reference"])
    def test_takes_over_and_says_so(
        self, models: Models, provider: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from ai_edge_litert import interpreter

        self.install(monkeypatch, interpreter)
        engine = open_engine(models["litert", 2], "litert", provider)
        assert (engine.info.library, engine.info.provider) == ("tflite_runtime", provider)
        check_run(engine, 2, 3, 0)

    def test_too_old(self, models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
        class Interpreter:
            """That of 2.5, which Coral ships: no signatures."""

        self.install(monkeypatch, SimpleNamespace(Interpreter=Interpreter, OpResolverType=object()))
        with pytest.raises(
            UnavailableError, match=r"this tflite_runtime is too old; expected .* 2\.7"
        ) as caught:
            open_engine(models["litert", 1], "litert", "cpu")
        assert caught.value.exit_code == 5

    def test_operator_that_would_end_the_process(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Found on tflite_runtime 2.14 with a network of two views: MUL calls abort()."""
        from ai_edge_litert import interpreter

        fewer = multiplied((16, 16, 1))
        as_many = multiplied((1, 1, 16, 16, 1))
        self.install(monkeypatch, interpreter)
        with pytest.raises(
            UnavailableError, match=r"b: .*no kernel.*expected MUL over at most 4 axes; got 5"
        ):
            open_engine(fewer, "litert", "cpu", where="b")
        with pytest.raises(IntegrityError, match="other inputs"):  # which is what comes next
            open_engine(as_many, "litert", "cpu", where="b")


def multiplied(shape: tuple[int, ...]) -> bytes:
    """Return a TFLite file that multiplies float32 ``[1, 2, 16, 16, 3]`` by a constant of another shape."""
    factor = np.random.default_rng(0).random(shape, np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorflow as tf

        function = tf.function(
            lambda x: {"y": x * factor},
            input_signature=[tf.TensorSpec([1, 2, 16, 16, 3], tf.float32, name="x")],
        )
        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [function.get_concrete_function()], tf.Module()
        )
        return bytes(converter.convert())
