"""Options of ONNX Runtime's providers: they arrive, they hold, and a wrong one is never passed over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from analyte.contract.errors import InputError, UnavailableError
from analyte.contract.manifest import EngineName
from analyte.contract.sections.engine import EngineSection
from analyte.runtime.engines import onnx as module
from analyte.runtime.engines.protocol import Engine, ProviderSettings
from analyte.runtime.engines.registry import open_engine, open_from_profile
from runtime.tiny_bundles import expected_value, random_images

Models = dict[tuple[EngineName, int], bytes]


def opened(model: bytes, provider: str, **options: Any) -> Engine:
    return open_engine(model, "onnx", provider, settings=ProviderSettings(options), where="model.onnx")


def test_cpu_takes_none(models: Models) -> None:
    with pytest.raises(InputError, match=r"'cpu' does not take device_id = 0; .*got none"):
        opened(models["onnx", 1], "cpu", device_id=0)


class TestAnotherProvider:
    """ONNX Runtime's package for the CPU has one more provider, which takes no node and knows no option."""

    @pytest.fixture(autouse=True)
    def azure(self, monkeypatch: pytest.MonkeyPatch) -> None:
        onnxruntime = pytest.importorskip("onnxruntime")
        if "AzureExecutionProvider" not in onnxruntime.get_available_providers():
            pytest.skip("this ONNX Runtime has no provider that takes no node")
        for name in ("cuda", "openvino"):
            monkeypatch.setitem(module.PROVIDERS, name, "AzureExecutionProvider")

    def test_runs_no_part_of_the_model(self, models: Models) -> None:
        with pytest.raises(
            UnavailableError, match=r"'openvino' provider runs no part.*got CPUExecutionProvider"
        ):
            opened(models["onnx", 1], "openvino")

    def test_option_that_is_passed_over_in_silence(self, models: Models) -> None:
        with pytest.raises(InputError, match=r"'cuda' does not take .*device_id = 0.*got none"):
            opened(models["onnx", 1], "cuda", device_id=0)


Wire = Callable[..., list[dict[str, str]]]


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    """Put a CUDA provider into ONNX Runtime that runs on the CPU, and return what sessions were told."""
    import onnxruntime

    def connect(
        changed: dict[str, str] | None = None, error: Exception | None = None
    ) -> list[dict[str, str]]:
        told: list[dict[str, str]] = []

        class Session:
            def __init__(
                self,
                model: bytes,
                options: Any,
                providers: Sequence[str],
                provider_options: Sequence[dict[str, str]],
                **rest: Any,
            ) -> None:
                if error is not None:
                    raise error
                told.extend(provider_options)
                self._name = providers[0]
                self._real = real(model, options, ["CPUExecutionProvider"], **rest)

            def __getattr__(self, name: str) -> Any:
                return getattr(self._real, name)

            def get_providers(self) -> list[str]:
                return [self._name, "CPUExecutionProvider"]

            def get_provider_options(self) -> dict[str, dict[str, str]]:
                # As CUDA does: every option it has, true and false as 1 and 0.
                plain = {k: {"True": "1", "False": "0"}.get(v, v) for k, v in told[-1].items()}
                return {self._name: {"gpu_mem_limit": "9", **plain, **(changed or {})}}

            def get_provider_graph_assignment_info(self) -> list[SimpleNamespace]:
                return [SimpleNamespace(ep_name=self._name, get_nodes=lambda: ["a node"])]

        listed = [*module.PROVIDERS.values()]
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: listed)
        monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
        return told

    real = onnxruntime.InferenceSession
    return connect


def test_options_arrive_as_text(models: Models, wire: Wire) -> None:
    told = wire()
    engine = opened(
        models["onnx", 1], "tensorrt", device_id=0, trt_fp16_enable=True, trt_engine_cache_path="/var/c"
    )
    assert told == [{"device_id": "0", "trt_fp16_enable": "True", "trt_engine_cache_path": "/var/c"}]
    images = random_images(2, 1)
    np.testing.assert_allclose(engine.run(images).value, expected_value(images), rtol=1e-5)


def test_float32_stays_float32_unless_it_is_asked_for(models: Models, wire: Wire) -> None:
    told = wire()
    opened(models["onnx", 1], "cuda")
    opened(models["onnx", 1], "cuda", use_tf32=True)
    assert told == [{"use_tf32": "0"}, {"use_tf32": "True"}]


def test_threads_are_those_of_the_profile(models: Models, wire: Wire) -> None:
    told = wire()
    open_engine(models["onnx", 1], "onnx", "openvino", 2)
    assert told == [{"num_of_threads": "2"}]
    with pytest.raises(InputError, match=r"'num_of_threads'; expected threads in .*\[engine\]"):
        opened(models["onnx", 1], "openvino", num_of_threads=4)


def test_option_that_the_provider_changed(models: Models, wire: Wire) -> None:
    wire(changed={"device_id": "0"})
    with pytest.raises(UnavailableError, match="changed its option 'device_id'; expected 1; got 0"):
        opened(models["onnx", 1], "cuda", device_id=1)


@pytest.mark.parametrize(
    "says",
    [
        'Unknown provider option: "use_fp16".',
        "/ort/x.cc:1 void f(int) Invalid OpenVINO EP option: use_fp16",
        "[ERROR] [TensorRT] The value for the key 'use_fp16' should be 'True' or 'False'.",
        'Failed to parse provider option "use_fp16"',
    ],
)
def test_wrong_option_is_not_hidden_by_a_fallback(models: Models, wire: Wire, says: str) -> None:
    wire(error=RuntimeError(says))
    section = EngineSection(
        name="onnx",
        provider="cuda",
        artifacts=("onnx",),
        fallback=("cpu",),
        provider_options={"use_fp16": 7},
    )
    with pytest.raises(InputError, match="use_fp16 = 7") as caught:
        open_from_profile(models["onnx", 1], section, lambda _: None)
    assert caught.value.exit_code == 3
    assert ".cc" not in caught.value.line()


def test_fallback_gets_no_options(models: Models) -> None:
    said: list[str] = []
    section = EngineSection(
        name="onnx",
        provider="cuda",
        artifacts=("onnx",),
        fallback=("cpu",),
        provider_options={"device_id": 0},
    )
    assert open_from_profile(models["onnx", 1], section, said.append).info.provider == "cpu"
    assert "'cuda' is not available" in said[0]


class TestOpenVino:
    """On Intel's own package of ONNX Runtime (onnxruntime-openvino), which CI does not have."""

    @pytest.fixture(autouse=True)
    def there(self) -> None:
        onnxruntime = pytest.importorskip("onnxruntime")
        if "OpenVINOExecutionProvider" not in onnxruntime.get_available_providers():
            pytest.skip("this ONNX Runtime has no OpenVINO")

    @pytest.mark.parametrize("views", [1, 2])
    def test_runs(self, models: Models, views: int, tmp_path: Path) -> None:
        engine = opened(models["onnx", views], "openvino", device_type="CPU", cache_dir=str(tmp_path))
        for seed, n in enumerate((1, 7, 1)):
            images = random_images(n, views, seed)
            np.testing.assert_allclose(engine.run(images).value, expected_value(images), atol=1e-4)

    def test_option_that_it_does_not_know(self, models: Models) -> None:
        with pytest.raises(InputError, match=r"devicetype = CPU.*got Invalid OpenVINO EP option: devicetype"):
            opened(models["onnx", 1], "openvino", devicetype="CPU")

    @pytest.mark.parametrize(
        ("option", "value"), [("device_type", "NPU"), ("num_streams", "two"), ("device_id", 3)]
    )
    def test_replaced_by_the_cpu(
        self, models: Models, option: str, value: Any, capfd: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(
            UnavailableError, match=r"replaced the 'openvino' provider.*ExecutionProvider \(.+\)\. "
        ):
            opened(models["onnx", 1], "openvino", **{option: value})
        assert capfd.readouterr() == ("", "")
