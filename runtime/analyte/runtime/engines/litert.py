"""LiteRT, the engine of TFLite files."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from analyte.contract.arrays import Float32Array, UInt8Array
from analyte.contract.errors import IntegrityError, UnavailableError
from analyte.contract.native_output import native_stderr_off
from analyte.contract.sections.engine import DELEGATES
from analyte.runtime.engines.associated_files import HEAD_FILE, attached
from analyte.runtime.engines.delegates import EDGE_TPU_OPERATOR, load_delegate, took_nothing
from analyte.runtime.engines.graph import COVARIATES, OUTPUTS, check_graph, to_graph, to_prediction
from analyte.runtime.engines.native_log import native_log
from analyte.runtime.engines.protocol import EngineInfo, GraphShape, Prediction, ProviderSettings

LIBRARIES = ("ai_edge_litert", "tflite_runtime")
"""In order of preference: boards that LiteRT has no wheel for may still have tflite_runtime."""
RESOLVERS = {
    "xnnpack": "AUTO",
    "cpu": "BUILTIN_WITHOUT_DEFAULT_DELEGATES",
    "reference": "BUILTIN_REF",
    **dict.fromkeys(DELEGATES, "BUILTIN_WITHOUT_DEFAULT_DELEGATES"),
}
"""LiteRT's op resolver for each provider: ``xnnpack`` is its default delegate, ``cpu`` its own kernels,
``reference`` the plain ones that these are compared with: ten times as slow, for parity only. What another
delegate leaves over runs on LiteRT's own kernels, so that nothing passes for it."""
SIGNATURE = "serving_default"
FEATURES = "features"
_CAMERA = (1.0, 0)
_RAW = "raw"
"""What the head of an integer-only model calls its features."""


class LiteRTEngine:
    """A TFLite file opened by LiteRT: on its XNNPACK delegate, its own kernels, or the delegate of a library.

    Where the file holds integers only, its features are dequantized here, and the float head that travels
    within it turns them into value and sigma, on the processor.
    """

    def __init__(
        self, model: bytes, provider: str, threads: int, settings: ProviderSettings, *, where: object
    ) -> None:
        library, module = _library()
        delegate = load_delegate(module, provider, settings) if provider in DELEGATES else None
        self._graph = _Graph(module, model, RESOLVERS[provider], threads, delegate, where=where)
        self._head: _Graph | None = None
        if library == "tflite_runtime":
            _check_old_kernels(self._graph.interpreter, where=where)
        if provider == "xnnpack" or delegate is not None:
            _check_delegated(self._graph.interpreter, provider, where=where)
        self._shape = self._check(module, model, where)
        # A delegate takes the graph for one sample; for another number it would be asked anew, unseen.
        self._one_by_one = delegate is not None or self._graph.takes_one
        self._info = EngineInfo("litert", provider, threads, library, _version(library))

    def _check(self, module: Any, model: bytes, where: object) -> GraphShape:
        """Check the graph contract, of trunk and head together where there are two."""
        given, said = self._graph.inputs, self._graph.outputs
        if set(said) == {FEATURES}:
            data = attached(model, HEAD_FILE, where=where)
            if data is None:
                raise IntegrityError(
                    f"the model gives {FEATURES} only, and {HEAD_FILE} is not within it",
                    where=where,
                    fix="Export the bundle again; some tools drop what lies behind the model in its file",
                )
            for name, entry in given.items():
                if entry["quantization"] != _CAMERA:
                    raise IntegrityError(
                        f"the model's input {name} does not take the camera's integers",
                        where=where,
                        expected=f"scale and zero point {_CAMERA}",
                        got=entry["quantization"],
                    )
            self._head = _Graph(module, data, RESOLVERS["cpu"], 1, None, where=where)
            beside = {name: entry for name, entry in self._head.inputs.items() if name == COVARIATES}
            given, said = {**given, **beside}, self._head.outputs
        return check_graph(
            {name: (list(entry["shape_signature"]), entry["dtype"]) for name, entry in given.items()},
            {name: entry["dtype"] for name, entry in said.items()},
            where=where,
        )

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
        try:
            if self._one_by_one:
                rows = [
                    self._run({name: array[i : i + 1] for name, array in inputs.items()})
                    for i in range(len(images))
                ]
                said = {name: np.concatenate([row[name] for row in rows]) for name in OUTPUTS}
            else:
                said = self._run(inputs)
        except (RuntimeError, ValueError) as error:
            raise UnavailableError("LiteRT failed while running the model", got=error) from error
        value, sigma, features = (said[name] for name in OUTPUTS)
        return to_prediction(value, sigma, features, len(images))

    def _run(self, inputs: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        if self._head is None:
            return self._graph.run(inputs)
        beside = {name: array for name, array in inputs.items() if name == COVARIATES}
        trunk = {name: array for name, array in inputs.items() if name != COVARIATES}
        features = self._graph.run(trunk)[FEATURES]
        return self._head.run({_RAW: self._graph.dequantized(FEATURES, features), **beside})

    def close(self) -> None:
        """Release the interpreters."""
        self._graph.close()
        if self._head is not None:
            self._head.close()


class _Graph:
    """One interpreter, run by the names of its signature."""

    def __init__(
        self, module: Any, model: bytes, resolver: str, threads: int, delegate: Any, *, where: object
    ) -> None:
        self._model = model  # the interpreter points into these bytes
        self.interpreter: Any = _open_interpreter(module, model, resolver, threads, delegate, where=where)
        self.inputs, self.outputs = _signature(self.interpreter, where=where)
        self._batch = 0

    @property
    def takes_one(self) -> bool:
        """Whether the file is for one sample at a time, as accelerators demand that know no open sizes."""
        return all(entry["shape_signature"][0] == 1 for entry in self.inputs.values())

    def run(self, feed: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        """Return every output by name; all of ``feed`` have the same number of samples."""
        count = len(next(iter(feed.values())))
        if count != self._batch:
            self._batch = 0
            for name, array in feed.items():
                self.interpreter.resize_tensor_input(self.inputs[name]["index"], list(array.shape))
            self.interpreter.allocate_tensors()
            self._batch = count
        for name, array in feed.items():
            self.interpreter.set_tensor(self.inputs[name]["index"], array)
        self.interpreter.invoke()
        return {name: self.interpreter.get_tensor(entry["index"]) for name, entry in self.outputs.items()}

    def dequantized(self, name: str, integers: npt.NDArray[Any]) -> Float32Array:
        """Return what an output's integers stand for."""
        step, zero = self.outputs[name]["quantization"]
        numbers: Float32Array = (integers.astype(np.float32) - zero) * np.float32(step)
        return numbers

    def close(self) -> None:
        """Release the interpreter."""
        self.interpreter = None


def _library() -> tuple[str, Any]:
    for library in LIBRARIES:
        try:
            module = importlib.import_module(f"{library}.interpreter")
        except ImportError as error:
            # A library that is there but does not load must not be passed over in silence.
            if not isinstance(error, ModuleNotFoundError) or error.name not in (
                library,
                f"{library}.interpreter",
            ):
                raise UnavailableError(f"{library} cannot be imported", got=error) from error
            continue
        # Makers of boards ship tflite_runtime of any age: before TensorFlow 2.7 it knew no signatures.
        if not hasattr(module, "OpResolverType") or not hasattr(module.Interpreter, "get_signature_runner"):
            raise UnavailableError(
                f"this {library} is too old",
                expected="that of TensorFlow 2.7 or newer",
                got=_version(library),
                fix="pip install 'analyte[litert]', or 'analyte[tflite]' where there is no wheel of it",
            )
        return library, module
    raise UnavailableError("LiteRT is not installed", fix="pip install 'analyte[litert]'")


def _open_interpreter(
    module: Any, model: bytes, resolver: str, threads: int, delegate: Any, *, where: object
) -> Any:
    with native_log() as log:  # LiteRT announces its delegate there, and why it does not take one
        try:
            interpreter = module.Interpreter(
                model_content=model,
                num_threads=threads,
                experimental_delegates=None if delegate is None else [delegate],
                experimental_op_resolver_type=module.OpResolverType[resolver],
            )
        except ValueError as error:
            if "find op" in str(error) or "find custom op" in str(error):
                raise _no_kernel(error, where) from error
            raise IntegrityError(
                "LiteRT cannot read the model file", where=where, got=error, fix="Copy the bundle again"
            ) from error
        except RuntimeError as error:
            raise UnavailableError(
                "the delegate cannot take the model",
                where=where,
                # LiteRT gives the commonest reason once per process, on the standard error.
                got=str(error).strip() or log.reason() or "no reason, such as a size known only at run time",
                fix="Ask for another artifact or provider",
            ) from error
    try:
        with native_stderr_off():
            interpreter.allocate_tensors()
    except RuntimeError as error:
        if "unresolved custom op" in str(error):
            raise _no_kernel(error, where) from error
        raise UnavailableError(
            "LiteRT cannot run the model", where=where, got=error, fix="Update ai-edge-litert"
        ) from error
    return interpreter


def _no_kernel(error: Exception, where: object) -> UnavailableError:
    compiled = EDGE_TPU_OPERATOR in str(error)
    return UnavailableError(
        "LiteRT has no kernel for an operator of the model",
        where=where,
        got=error,
        fix="The model is compiled for the Edge TPU: ask for provider 'edgetpu'"
        if compiled
        else "Update ai-edge-litert, or use another provider",
    )


def _signature(interpreter: Any, *, where: object) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return LiteRT's description of each input and each output by name."""
    try:
        runner = interpreter.get_signature_runner(SIGNATURE)
    except ValueError as error:
        raise IntegrityError(
            f"the model file has no signature {SIGNATURE!r}",
            where=where,
            got=error,
            fix="Export the bundle again with this version of analyte",
        ) from error
    return runner.get_input_details(), runner.get_output_details()


def _check_delegated(interpreter: Any, provider: str, *, where: object) -> None:
    """Refuse when the delegate took no part of the graph: LiteRT goes on without it, without an error."""
    # A private method, the only one that tells; both libraries have it.
    names = {op["op_name"] for op in interpreter._get_ops_details()}
    if "DELEGATE" in names:
        return
    if provider != "xnnpack":
        raise took_nothing(provider, names, where=where)
    raise UnavailableError(
        "XNNPACK runs no part of the model",
        where=where,
        expected="at least one delegated op",
        got=", ".join(sorted(names)),
        fix="Ask for provider 'cpu', or install ai-edge-litert with XNNPACK",
    )


def _check_old_kernels(interpreter: Any, *, where: object) -> None:
    """Refuse a product over five axes with fewer beside them: tflite_runtime 2.14 ends the process there."""
    rank = {entry["index"]: len(entry["shape"]) for entry in interpreter.get_tensor_details()}
    for op in interpreter._get_ops_details():
        ranks = {rank.get(index, 0) for index in op["inputs"]} - {0}
        if op["op_name"] == "MUL" and len(ranks) > 1 and max(ranks) > 4:
            raise UnavailableError(
                "tflite_runtime has no kernel for an operator of the model",
                where=where,
                expected="MUL over at most 4 axes",
                got=f"{max(ranks)}, as networks of several views have",
                fix="pip install 'analyte[litert]', or use an ONNX artifact",
            )


def _version(library: str) -> str:
    # Asking the installed distribution would load the parser of its metadata, which a start would wait for.
    return str(getattr(importlib.import_module(library), "__version__", "unknown"))
