"""External delegates, with one that is compiled here: what was asked for is what runs, or exit 5."""

from __future__ import annotations

import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any

import flatbuffers  # type: ignore[import-untyped]
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated

from analyte.contract.errors import AnalyteError, UnavailableError
from analyte.contract.manifest import EngineName
from analyte.contract.sections.engine import DelegateSection, EngineSection
from analyte.runtime.engines.protocol import Engine, ProviderSettings
from analyte.runtime.engines.registry import open_engine, open_from_profile
from runtime.conftest import Analyte
from runtime.tiny_bundles import File, expected_value, random_images, write_bundle, write_profile

Models = dict[tuple[EngineName, int], bytes]
SOURCE = Path(__file__).with_name("stand_in_delegate.c")
schema: Any = schema_py_generated


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A delegate that takes every RESHAPE, or every operator of a model compiled for the Edge TPU."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler (cc, gcc or clang) to build a delegate with")
    library = tmp_path_factory.mktemp("delegate") / "libstandin.so"
    command = [compiler, "-std=c11", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, SOURCE]
    subprocess.run(list(map(str, command)), check=True, timeout=60)
    return str(library)


@pytest.fixture(scope="session")
def compiled(models: Models) -> bytes:
    """The model of two views as the Edge TPU's compiler leaves it: a custom operator where RESHAPE was."""
    model = schema.ModelT.InitFromPackedBuf(bytearray(models["litert", 2]), 0)
    (code,) = [c for c in model.operatorCodes if c.builtinCode == schema.BuiltinOperator.RESHAPE]
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = b"edgetpu-custom-op"
    for operator in model.subgraphs[0].operators:
        if model.operatorCodes[operator.opcodeIndex] is code:
            operator.builtinOptions, operator.builtinOptionsType = None, 0
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def section(provider: str, *fallback: str, library: str | None = None, **options: Any) -> EngineSection:
    return EngineSection(
        name="litert",
        provider=provider,
        artifacts=("tflite",),
        fallback=fallback,
        delegate=DelegateSection(library=library, options=options),
    )


def opened(model: bytes, profile: EngineSection) -> Engine:
    return open_from_profile(model, profile, lambda _: None, where="model.tflite")


def refused(model: bytes, profile: EngineSection, says: str) -> None:
    with pytest.raises(UnavailableError, match=says) as caught:
        opened(model, profile)
    assert caught.value.exit_code == 5
    assert caught.value.fix


@pytest.mark.parametrize("provider", ["delegate", "gpu"])
def test_runs_and_is_told_its_options(models: Models, stand_in: str, provider: str) -> None:
    for gain in (1, 2.5):
        engine = opened(models["litert", 2], section(provider, library=stand_in, claim="reshape", gain=gain))
        assert (engine.info.provider, engine.info.library) == (provider, "ai_edge_litert")
        for seed, n in enumerate((1, 7, 2)):
            images = random_images(n, 2, seed)
            np.testing.assert_allclose(engine.run(images).value, gain * expected_value(images), rtol=1e-5)
        engine.close()
        engine.close()


@pytest.mark.parametrize("provider", ["delegate", "gpu", "edgetpu"])
def test_takes_nothing(models: Models, stand_in: str, provider: str) -> None:
    refused(
        models["litert", 2],
        section(provider, library=stand_in, claim="nothing"),
        rf"model\.tflite: provider '{provider}' runs no part of the model.*got ADD, CAST, MEAN",
    )


def test_does_not_start(models: Models, stand_in: str) -> None:
    refused(
        models["litert", 1],
        section("edgetpu", library=stand_in, fail="create", device="usb", verbose=True),
        r"does not start; .*libstandin\.so with fail=create, device=usb, verbose=true; got no device found",
    )


def test_does_not_take_the_model(models: Models, stand_in: str) -> None:
    refused(
        models["litert", 1],
        section("delegate", library=stand_in, fail="prepare"),
        r"model\.tflite: the delegate cannot take the model; got the stand-in is told not to take it",
    )


def test_size_known_only_at_run_time(stand_in: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Most delegates take fixed sizes only, and LiteRT says so nowhere but on the standard error."""
    model = reshaped_at_run_time()
    capfd.readouterr()  # TensorFlow announces itself there
    refused(
        model,
        section("delegate", library=stand_in, claim="reshape"),
        r"cannot take the model; got .*(only supports static-sized tensors|size known only at run time)",
    )
    assert capfd.readouterr() == ("", "")


def reshaped_at_run_time() -> bytes:
    """Return a TFLite file that asks how many samples there are, as exported networks may do."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorflow as tf

        def graph(image: Any) -> dict[str, Any]:
            rows = tf.reshape(tf.cast(image, tf.float32), [tf.shape(image)[0] * 16, 16 * 3])
            return {"value": tf.reduce_sum(tf.exp(rows))}

        spec = tf.TensorSpec([None, 16, 16, 3], tf.uint8, name="image")
        function = tf.function(graph, input_signature=[spec]).get_concrete_function()
        return bytes(tf.lite.TFLiteConverter.from_concrete_functions([function], tf.Module()).convert())


@pytest.mark.parametrize(
    ("provider", "library", "says"),
    [
        ("edgetpu", None, r"'edgetpu' cannot be loaded; expected libedgetpu"),
        ("gpu", None, r"'gpu' cannot be loaded; expected libtensorflowlite_gpu_delegate"),
        ("delegate", "/nowhere/lib.so", r"/nowhere/lib\.so: cannot open"),
        ("delegate", str(SOURCE), "invalid ELF header|file too short"),
        ("delegate", "libc.so.6", "no LiteRT delegate; expected tflite_plugin_create_delegate; got libc"),
    ],
)
def test_no_library(models: Models, provider: str, library: str | None, says: str) -> None:
    refused(models["litert", 1], section(provider, library=library), says)


def test_no_library_named(models: Models) -> None:
    with pytest.raises(UnavailableError, match=r"no usual library here.*delegate = "):
        open_engine(models["litert", 1], "litert", "delegate")


class TestEdgeTpu:
    """Models that its compiler made hold an operator that only the Edge TPU has."""

    def test_runs_the_custom_operator(self, compiled: bytes, stand_in: str) -> None:
        engine = opened(compiled, section("edgetpu", library=stand_in, claim="edgetpu"))
        for seed, n in enumerate((1, 3)):
            images = random_images(n, 2, seed)
            np.testing.assert_allclose(engine.run(images).value, expected_value(images), rtol=1e-5)

    def test_model_that_is_not_compiled(self, models: Models, stand_in: str) -> None:
        refused(
            models["litert", 2],
            section("edgetpu", library=stand_in, claim="edgetpu"),
            r"expected edgetpu-custom-op; .*edgetpu_compiler",
        )

    @pytest.mark.parametrize("provider", ["cpu", "xnnpack", "reference"])
    def test_compiled_model_without_it(self, compiled: bytes, provider: str) -> None:
        with pytest.raises(UnavailableError, match="compiled for the Edge TPU: ask for provider 'edgetpu'"):
            open_engine(compiled, "litert", provider, where="model.tflite")


def test_fallback_runs_without_the_delegate(models: Models, stand_in: str) -> None:
    said: list[str] = []
    profile = section("delegate", "cpu", library=stand_in, fail="create", gain=3)
    engine = open_from_profile(models["litert", 2], profile, said.append)
    images = random_images(2, 2)
    assert engine.info.provider == "cpu"
    np.testing.assert_allclose(engine.run(images).value, expected_value(images), rtol=1e-5)
    assert "'delegate' is not available" in said[0]
    assert said[1] == "using fallback provider 'cpu', as the profile allows"


def test_nothing_else_passes_for_the_delegate(models: Models, stand_in: str) -> None:
    """XNNPACK would take the rest of the graph, and look like a delegate that took it."""
    settings = ProviderSettings({"claim": "nothing"}, stand_in)
    with pytest.raises(AnalyteError, match="runs no part"):
        open_engine(models["litert", 2], "litert", "delegate", settings=settings)


@pytest.mark.parametrize("fault", ["fail", "library"])
def test_command_line_says_it_in_one_line(
    models: Models, stand_in: str, fault: str, tmp_path: Path, analyte: Analyte
) -> None:
    """LiteRT's own clearing up after a delegate that did not start prints tracebacks."""
    bundle = write_bundle(tmp_path / "b.analyte", [File("tflite", "litert", models["litert", 1])])
    profile = write_profile(tmp_path / "p.toml", engine="litert", provider="delegate", artifacts=["tflite"])
    library = stand_in if fault == "fail" else "/nowhere/lib.so"
    with profile.open("a", encoding="utf-8") as file:
        file.write(f'delegate = {{ library = "{library}", options = {{ fail = "create" }} }}\n')
    done = analyte("selftest", bundle, "--device", profile)
    assert done.returncode == 5
    assert all(line.startswith("analyte") for line in done.stderr.splitlines()), done.stderr
    assert library in done.stderr.splitlines()[-1]
