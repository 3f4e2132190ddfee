"""LiteRT, the engine of TFLite files."""

from __future__ import annotations

import importlib
import importlib.metadata
from typing import Any

from analyte.contract.arrays import Float32Array, UInt8Array
from analyte.contract.errors import IntegrityError, UnavailableError
from analyte.contract.native_output import native_stderr_off
from analyte.runtime.engines.graph import OUTPUTS, check_graph, to_graph, to_prediction
from analyte.runtime.engines.protocol import EngineInfo, GraphShape, Prediction

LIBRARIES = ("ai_edge_litert", "tflite_runtime")
"""In order of preference: boards that LiteRT has no wheel for may still have tflite_runtime."""
RESOLVERS = {"xnnpack": "AUTO", "cpu": "BUILTIN_WITHOUT_DEFAULT_DELEGATES"}
"""LiteRT's op resolver for each provider: ``xnnpack`` is its default delegate, ``cpu`` its own kernels."""
SIGNATURE = "serving_default"


class LiteRTEngine:
    """A TFLite file opened by LiteRT, with or without its XNNPACK delegate."""

    def __init__(self, model: bytes, provider: str, threads: int, *, where: object) -> None:
        library, module = _library()
        self._model = model  # the interpreter points into these bytes
        self._interpreter: Any = _open_interpreter(module, model, provider, threads, where=where)
        self._inputs, self._outputs, self._shape = _signature(self._interpreter, where=where)
        if provider == "xnnpack":
            _check_delegated(self._interpreter, where=where)
        self._batch = 0
        self._info = EngineInfo("litert", provider, threads, library, _version(library))

    @property
    def info(self) -> EngineInfo:
        """What runs the model."""
        return self._info

    @property
    def shape(self) -> GraphShape:
        """What the graph takes."""
        return self._shape

    def run(self, images: UInt8Array, covariates: Float32Array | None = None) -> Prediction:
        """Run N samples; see `Engine.run`. Another N than the last one costs an allocation."""
        inputs = to_graph(images, covariates, self._shape)
        interpreter = self._interpreter
        try:
            if len(images) != self._batch:
                self._batch = 0
                for name, array in inputs.items():
                    interpreter.resize_tensor_input(self._inputs[name], list(array.shape))
                interpreter.allocate_tensors()
                self._batch = len(images)
            for name, array in inputs.items():
                interpreter.set_tensor(self._inputs[name], array)
            interpreter.invoke()
            value, sigma, features = (interpreter.get_tensor(self._outputs[name]) for name in OUTPUTS)
        except (RuntimeError, ValueError) as error:
            raise UnavailableError("LiteRT failed while running the model", got=error) from error
        return to_prediction(value, sigma, features, len(images))

    def close(self) -> None:
        """Release the interpreter."""
        self._interpreter = None


def _library() -> tuple[str, Any]:
    for library in LIBRARIES:
        try:
            return library, importlib.import_module(f"{library}.interpreter")
        except ImportError as error:
            # A library that is there but does not load must not be passed over in silence.
            if not isinstance(error, ModuleNotFoundError) or error.name not in (
                library,
                f"{library}.interpreter",
            ):
                raise UnavailableError(f"{library} cannot be imported", got=error) from error
    raise UnavailableError("LiteRT is not installed", fix="pip install 'analyte[litert]'")


def _open_interpreter(module: Any, model: bytes, provider: str, threads: int, *, where: object) -> Any:
    try:
        interpreter = module.Interpreter(
            model_content=model,
            num_threads=threads,
            experimental_op_resolver_type=module.OpResolverType[RESOLVERS[provider]],
        )
    except ValueError as error:
        raise IntegrityError(
            "LiteRT cannot read the model file", where=where, got=error, fix="Copy the bundle again"
        ) from error
    try:
        with native_stderr_off():  # LiteRT announces its delegate there
            interpreter.allocate_tensors()
    except RuntimeError as error:
        raise UnavailableError(
            "LiteRT cannot run the model", where=where, got=error, fix="Update ai-edge-litert"
        ) from error
    return interpreter


def _signature(interpreter: Any, *, where: object) -> tuple[dict[str, int], dict[str, int], GraphShape]:
    """Return the tensor indices of inputs and of outputs by name, and what the graph takes."""
    try:
        runner = interpreter.get_signature_runner(SIGNATURE)
    except ValueError as error:
        raise IntegrityError(
            f"the model file has no signature {SIGNATURE!r}",
            where=where,
            got=error,
            fix="Export the bundle again with this version of analyte",
        ) from error
    inputs, outputs = runner.get_input_details(), runner.get_output_details()
    shape = check_graph(
        {name: (list(d["shape_signature"]), d["dtype"]) for name, d in inputs.items()},
        {name: d["dtype"] for name, d in outputs.items()},
        where=where,
    )
    taken = {name: details["index"] for name, details in inputs.items()}
    return taken, {name: outputs[name]["index"] for name in OUTPUTS}, shape


def _check_delegated(interpreter: Any, *, where: object) -> None:
    """Refuse when XNNPACK took no part of the graph: it is absent from some builds, without an error."""
    # A private method, the only one that tells; both libraries have it.
    names = [op["op_name"] for op in interpreter._get_ops_details()]
    if "DELEGATE" not in names:
        raise UnavailableError(
            "XNNPACK runs no part of the model",
            where=where,
            expected="at least one delegated op",
            got=", ".join(sorted(set(names))),
            fix="Ask for provider 'cpu', or install ai-edge-litert with XNNPACK",
        )


def _version(library: str) -> str:
    distribution = {"ai_edge_litert": "ai-edge-litert", "tflite_runtime": "tflite-runtime"}[library]
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
