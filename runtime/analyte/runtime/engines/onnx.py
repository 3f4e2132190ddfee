"""ONNX Runtime."""

from __future__ import annotations

import contextlib
import importlib
import io
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from analyte.contract.arrays import Float32Array, UInt8Array
from analyte.contract.errors import InputError, IntegrityError, UnavailableError
from analyte.runtime.engines.graph import OUTPUTS, check_graph, to_graph, to_prediction
from analyte.runtime.engines.native_log import Log, native_log, without_noise
from analyte.runtime.engines.protocol import EngineInfo, GraphShape, Prediction, ProviderSettings

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
_INSTALL = {
    "cpu": "pip install 'analyte[cpu]'",
    "cuda": "pip uninstall onnxruntime, then pip install 'analyte[cuda]'; the driver: nvidia-smi",
    "tensorrt": "pip uninstall onnxruntime, then pip install 'analyte[cuda]' 'tensorrt-cu13<11'; the driver: "
    "nvidia-smi",
    "openvino": "pip uninstall onnxruntime, then pip install onnxruntime-openvino",
}
_REPORTING = ("cuda", "tensorrt")
"""Providers that say what they run with. OpenVINO says nothing, and refuses what it does not know."""
_UNKNOWN_OPTION = re.compile(
    r"(unknown provider|invalid \w+ EP) option|parse provider option|the key '", re.I
)
"""How providers speak of an option that they do not know, or cannot have that value."""
_THREADS = {"openvino": "num_of_threads"}
"""Where threads are an option of the provider: those of ONNX Runtime are not its own."""
_EXACT = {"cuda": {"use_tf32": "0"}}
"""What keeps float32 what it is, unless the profile says otherwise: TF32 has 10 bits behind the point, not
23, too few for the gate of a float32 artifact."""
_RECORD = "session.record_ep_graph_assignment_info"
ONE_BY_ONE = "analyte.one_by_one"
"""Key in a model's metadata: its samples would see each other in a batch, so that each is run by itself."""
_DTYPES = {"tensor(uint8)": np.uint8, "tensor(float)": np.float32}


class OnnxEngine:
    """A model file opened by ONNX Runtime, on exactly the provider that was asked for."""

    def __init__(
        self, model: bytes, provider: str, threads: int, settings: ProviderSettings, *, where: object
    ) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise UnavailableError(
                "onnxruntime cannot be imported", got=error, fix=_INSTALL["cpu"]
            ) from error

        self._session: Any = _open_session(onnxruntime, model, provider, threads, settings, where=where)
        self._shape = check_graph(
            {i.name: (i.shape, _DTYPES.get(i.type, i.type)) for i in self._session.get_inputs()},
            {o.name: _DTYPES.get(o.type, o.type) for o in self._session.get_outputs()},
            where=where,
        )
        self._one_by_one = ONE_BY_ONE in self._session.get_modelmeta().custom_metadata_map
        self._info = EngineInfo("onnx", provider, threads, "onnxruntime", str(onnxruntime.__version__))

    @property
    def info(self) -> EngineInfo:
        """What runs the model."""
        return self._info

    @property
    def shape(self) -> GraphShape:
        """What the graph takes."""
        return self._shape

    def run(self, images: UInt8Array, covariates: Float32Array | None = None) -> Prediction:
        """Run N samples; see `Engine.run`."""
        inputs = to_graph(images, covariates, self._shape)
        try:
            if self._one_by_one:
                singles = [
                    self._session.run(OUTPUTS, {name: array[i : i + 1] for name, array in inputs.items()})
                    for i in range(len(images))
                ]
                value, sigma, features = (np.concatenate(parts) for parts in zip(*singles, strict=True))
            else:
                value, sigma, features = self._session.run(OUTPUTS, inputs)
        # ONNX Runtime's exceptions have no common base but Exception.
        except Exception as error:
            raise UnavailableError("ONNX Runtime failed while running the model", got=error) from error
        return to_prediction(value, sigma, features, len(images))

    def close(self) -> None:
        """Release the session."""
        self._session = None


def _open_session(
    ort: Any, model: bytes, provider: str, threads: int, settings: ProviderSettings, *, where: object
) -> Any:
    wanted = PROVIDERS[provider]
    if wanted not in ort.get_available_providers():
        raise UnavailableError(
            f"ONNX Runtime {ort.__version__} here has no {provider!r} provider",
            expected=wanted,
            got=", ".join(ort.get_available_providers()),
            fix=f"Install it ({_INSTALL[provider]}), or list a fallback in the profile",
        )
    asked = _options(provider, threads, settings)
    with native_log() as log:
        _load_libraries(ort, provider)
        session = _start(ort, model, provider, _session_options(ort, threads), asked, log, where=where)
    _check_provider(session, provider, log, where=where)
    _check_options(session, provider, asked)
    _check_assigned(session, provider, where=where)
    return session


def _options(provider: str, threads: int, settings: ProviderSettings) -> dict[str, str]:
    """Return the provider's options as text. Raises: InputError for one that it cannot have."""
    # True and False are spelled as Python does: TensorRT knows no other way.
    asked = {key: str(value) for key, value in settings.options.items()}
    if asked and provider == "cpu":
        raise _no_option(provider, asked, "none")
    option = _THREADS.get(provider)
    if option in asked:
        raise InputError(
            f"provider_options say {option!r}", expected="threads in the section [engine]", got=asked[option]
        )
    return _EXACT.get(provider, {}) | asked | ({option: str(threads)} if option else {})


def _session_options(ort: Any, threads: int) -> Any:
    ort.set_default_logger_severity(3)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # A device mostly waits for the next frame: idle threads that spin would cost power and heat.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry(_RECORD, "1")
    return options


def _load_libraries(ort: Any, provider: str) -> None:
    """Load what the packages of analyte[cuda] and TensorRT brought: the system's loader looks elsewhere."""
    if provider not in ("cuda", "tensorrt"):
        return
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does not find; so does the provider
        if hasattr(ort, "preload_dlls"):
            ort.preload_dlls()
    if provider == "tensorrt":
        # The import loads them; a TensorRT of the system needs none of it.
        with contextlib.suppress(ImportError, OSError):
            importlib.import_module("tensorrt")


def _start(
    ort: Any,
    model: bytes,
    provider: str,
    options: Any,
    asked: Mapping[str, str],
    log: Log,
    *,
    where: object,
) -> Any:
    state = ort.capi.onnxruntime_pybind11_state
    unreadable = (state.InvalidProtobuf, state.InvalidGraph, state.InvalidArgument, state.NoSuchFile)
    try:
        # enable_fallback=0: else ONNX Runtime prints to stdout and goes on with the CPU.
        return ort.InferenceSession(
            model,
            options,
            providers=[PROVIDERS[provider]],
            provider_options=[dict(asked)],
            enable_fallback=0,
        )
    except unreadable as error:
        raise _unreadable(where, error) from error
    except Exception as error:
        # ONNX Runtime reports both damaged files and missing drivers as Fail: the CPU tells them apart.
        if provider == "cpu" and isinstance(error, state.Fail):
            raise _unreadable(where, error) from error
        if asked and _UNKNOWN_OPTION.search(str(error)):
            raise _no_option(provider, asked, without_noise(error)) from error
        raise UnavailableError(
            f"ONNX Runtime's {provider!r} provider does not start",
            where=where,
            got=log.reason() or without_noise(error),
            fix=f"Check it: {_INSTALL[provider]}",
        ) from error


def _check_provider(session: Any, provider: str, log: Log, *, where: object) -> None:
    with contextlib.suppress(
        AttributeError
    ):  # absent from the slimmest builds, which have no fallback either
        session.disable_fallback()
    got = session.get_providers()
    if got[0] != PROVIDERS[provider]:
        reason = log.reason()
        raise UnavailableError(
            f"ONNX Runtime replaced the {provider!r} provider",
            where=where,
            expected=PROVIDERS[provider],
            got=", ".join(got) + (f" ({reason})" if reason else ""),
            fix=f"Check provider_options, and it: {_INSTALL[provider]}",
        )


def _check_options(session: Any, provider: str, asked: Mapping[str, str]) -> None:
    """Refuse options that the provider does not run with: it may pass over them in silence."""
    if provider not in _REPORTING:
        return
    told = session.get_provider_options().get(PROVIDERS[provider], {})
    unknown = {key: value for key, value in asked.items() if key not in told}
    if unknown:
        raise _no_option(provider, unknown, ", ".join(told) or "none")
    for key, value in asked.items():
        if _plain(told[key]) != _plain(value):
            raise UnavailableError(
                f"ONNX Runtime's {provider!r} provider changed its option {key!r}",
                expected=value,
                got=told[key],
                fix="Ask for what it can do",
            )


def _plain(value: str) -> str:
    """Return an option's value in the form that providers report."""
    return {"true": "1", "false": "0"}.get(value.lower(), value)


def _check_assigned(session: Any, provider: str, *, where: object) -> None:
    """Refuse when the provider runs no node: it is registered all the same, and the CPU does the work."""
    # The CPU takes what is left over, so that it needs no look; ONNX Runtime before 1.24 cannot tell.
    if provider == "cpu" or not hasattr(session, "get_provider_graph_assignment_info"):
        return
    parts = session.get_provider_graph_assignment_info()
    if not any(part.ep_name == PROVIDERS[provider] and part.get_nodes() for part in parts):
        raise UnavailableError(
            f"ONNX Runtime's {provider!r} provider runs no part of the model",
            where=where,
            expected=f"at least one node on {PROVIDERS[provider]}",
            got=", ".join(sorted({part.ep_name for part in parts})) or "none",
            fix="Ask for another artifact or provider",
        )


def _no_option(provider: str, asked: Mapping[str, str], got: object) -> InputError:
    return InputError(
        f"provider {provider!r} does not take "
        + ", ".join(f"{key} = {value}" for key, value in asked.items()),
        expected="options of onnxruntime.ai/docs/execution-providers",
        got=got,
        fix="Correct provider_options in the device profile",
    )


def _unreadable(where: object, error: Exception) -> IntegrityError:
    return IntegrityError(
        "ONNX Runtime cannot read the model file",
        where=where,
        got=error,
        fix="Copy the bundle again, or update onnxruntime",
    )
