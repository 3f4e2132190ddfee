"""ONNX Runtime on an NVIDIA GPU: ``make gpu`` runs these on a machine that has one."""

from __future__ import annotations

import ctypes
import importlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analyte.contract.bundle import open_bundle
from analyte.contract.errors import InputError, UnavailableError
from analyte.contract.manifest import EngineName
from analyte.runtime.engines.protocol import Engine, ProviderSettings
from analyte.runtime.engines.registry import open_engine
from analyte.runtime.selftest import check_artifact
from runtime.tiny_bundles import SIGMA, expected_value, onnx_model, random_images

Models = dict[tuple[EngineName, int], bytes]
LISTED = {"cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider"}


def loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


pytestmark = [
    pytest.mark.gpu,
    # A mark, not a fixture: those that train a network for these tests are not asked then.
    pytest.mark.skipif(not loads("libcuda.so.1"), reason="no NVIDIA driver on this machine (libcuda.so.1)"),
]


@pytest.fixture(params=["cuda", "tensorrt"])
def provider(request: pytest.FixtureRequest) -> str:
    """A provider whose hardware and packages are there; from here on it has to work."""
    name: str = request.param
    onnxruntime = pytest.importorskip("onnxruntime")
    if LISTED[name] not in onnxruntime.get_available_providers():
        pytest.skip(f"this ONNX Runtime has no {LISTED[name]}: make gpu installs the one that has")
    if name == "tensorrt" and not loads("libnvinfer.so.10"):
        try:
            importlib.import_module("tensorrt")
        except (ImportError, OSError):
            pytest.skip("TensorRT 10 is not installed (libnvinfer.so.10)")
    return name


def opened(model: bytes, provider: str, threads: int = 1, **options: Any) -> Engine:
    return open_engine(model, "onnx", provider, threads, settings=ProviderSettings(options))


@pytest.mark.parametrize("views", [1, 2])
@pytest.mark.parametrize("threads", [1, 2])
def test_batches_views_and_threads(models: Models, provider: str, views: int, threads: int) -> None:
    engine = opened(models["onnx", views], provider, threads)
    assert (engine.info.provider, engine.info.threads) == (provider, threads)
    for seed, n in enumerate((1, 7, 1, 7, 2)):
        images = random_images(n, views, seed)
        said = engine.run(images)
        np.testing.assert_allclose(said.value, expected_value(images), atol=1e-3)
        np.testing.assert_allclose(said.sigma, SIGMA)
    engine.close()


def test_covariates(provider: str) -> None:
    engine = opened(onnx_model(1, covariates=3), provider)
    images, beside = random_images(5, 1), np.linspace(0, 9, 15, dtype=np.float32).reshape(5, 3)
    np.testing.assert_allclose(engine.run(images, beside).value, expected_value(images, beside), atol=1e-3)


@pytest.mark.parametrize("name", ["onnx", "onnx-float16", "onnx-int8", "onnx-dynamic"])
def test_golden_set(provider: str, name: str, one_view_bundle: Path) -> None:
    """The deviation from Keras stays within what the artifact was gated with, one by one and in a batch."""
    bundle = open_bundle(one_view_bundle)
    artifact = bundle.artifact(name)
    engine = opened(bundle.read(artifact), provider)
    results = check_artifact(bundle, artifact, engine, bundle.golden_set())
    assert all(result.passed for result in results), results


def test_device_that_is_not_there(models: Models, provider: str) -> None:
    """ONNX Runtime goes on with the CPU, where that is allowed."""
    with pytest.raises(UnavailableError, match=f"'{provider}' provider"):
        opened(models["onnx", 1], provider, device_id=99)


def test_option_that_it_does_not_know(models: Models, provider: str) -> None:
    with pytest.raises(InputError, match="no_such_option = 1"):
        opened(models["onnx", 1], provider, no_such_option=1)


def test_options_hold(models: Models, provider: str) -> None:
    own = {"cuda": {"use_tf32": False, "gpu_mem_limit": 2**30}, "tensorrt": {"trt_fp16_enable": True}}
    images = random_images(3, 1)
    said = opened(models["onnx", 1], provider, device_id=0, **own[provider]).run(images)
    np.testing.assert_allclose(said.value, expected_value(images), rtol=1e-2)


def test_engine_cache(models: Models, provider: str, tmp_path: Path) -> None:
    """TensorRT's engine is built once, and read again from its folder."""
    if provider != "tensorrt":
        pytest.skip("only TensorRT has engines to keep")
    cache, images = tmp_path / "cache", random_images(1, 1)
    options = {"trt_engine_cache_enable": True, "trt_engine_cache_path": str(cache)}
    first = opened(models["onnx", 1], provider, **options).run(images).value
    (engine,) = cache.glob("*.engine")
    written = engine.stat().st_mtime_ns
    np.testing.assert_array_equal(opened(models["onnx", 1], provider, **options).run(images).value, first)
    assert engine.stat().st_mtime_ns == written
    shutil.rmtree(cache)
