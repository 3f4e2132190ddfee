"""ONNX Runtime."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from analyte.contract.arrays import Float32Array, UInt8Array
from analyte.contract.errors import IntegrityError, UnavailableError
from analyte.runtime.engines.graph import OUTPUTS, check_graph, to_graph, to_prediction
from analyte.runtime.engines.protocol import EngineInfo, GraphShape, Prediction

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
_INSTALL = {
    "cpu": "pip install 'analyte[cpu]'",
    "cuda": "pip uninstall onnxruntime, then pip install 'analyte[cuda]'; the driver: nvidia-smi",
    "tensorrt": "pip uninstall onnxruntime, then pip install 'analyte[cuda]' and tensorrt",
    "openvino": "pip uninstall onnxruntime, then pip install onnxruntime-openvino",
}
ONE_BY_ONE = "analyte.one_by_one"
"""Key in a model's metadata: its samples would see each other in a batch, so that each is run by itself."""
_DTYPES = {"tensor(uint8)": np.uint8, "tensor(float)": np.float32}


class OnnxEngine:
    """A model file opened by ONNX Runtime, on exactly the provider that was asked for."""

    def __init__(self, model: bytes, provider: str, threads: int, *, where: object) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise UnavailableError(
                "onnxruntime cannot be imported", got=error, fix=_INSTALL["cpu"]
            ) from error

        self._session: Any = _open_session(onnxruntime, model, provider, threads, where=where)
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


def _open_session(ort: Any, model: bytes, provider: str, threads: int, *, where: object) -> Any:
    wanted = PROVIDERS[provider]
    if wanted not in ort.get_available_providers():
        raise UnavailableError(
            f"ONNX Runtime {ort.__version__} here has no {provider!r} provider",
            expected=wanted,
            got=", ".join(ort.get_available_providers()),
            fix=f"Install it ({_INSTALL[provider]}), or list a fallback in the profile",
        )
    ort.set_default_logger_severity(3)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # A device mostly waits for the next frame: idle threads that spin would cost power and heat.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    state = ort.capi.onnxruntime_pybind11_state
    unreadable = (state.InvalidProtobuf, state.InvalidGraph, state.InvalidArgument, state.NoSuchFile)
    try:
        # enable_fallback=0: else ONNX Runtime prints to stdout and goes on with the CPU.
        session = ort.InferenceSession(model, options, providers=[wanted], enable_fallback=0)
    except unreadable as error:
        raise _unreadable(where, error) from error
    except Exception as error:
        # ONNX Runtime reports both damaged files and missing drivers as Fail: the CPU tells them apart.
        if provider == "cpu" and isinstance(error, state.Fail):
            raise _unreadable(where, error) from error
        raise UnavailableError(
            f"ONNX Runtime's {provider!r} provider does not start",
            where=where,
            got=error,
            fix=f"Check it: {_INSTALL[provider]}",
        ) from error
    _check_provider(session, provider, where=where)
    return session


def _check_provider(session: Any, provider: str, *, where: object) -> None:
    with contextlib.suppress(
        AttributeError
    ):  # absent from the slimmest builds, which have no fallback either
        session.disable_fallback()
    got = session.get_providers()
    if got[0] != PROVIDERS[provider]:
        raise UnavailableError(
            f"ONNX Runtime replaced the {provider!r} provider",
            where=where,
            expected=PROVIDERS[provider],
            got=", ".join(got),
            fix=f"Check it: {_INSTALL[provider]}",
        )


def _unreadable(where: object, error: Exception) -> IntegrityError:
    return IntegrityError(
        "ONNX Runtime cannot read the model file",
        where=where,
        got=error,
        fix="Copy the bundle again, or update onnxruntime",
    )
