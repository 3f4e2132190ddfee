"""A TFLite file taken apart: operators, tensors and constants that can be changed, and put together again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated

from analyte.contract.arrays import Float32Array

schema: Any = schema_py_generated
"""LiteRT's own reader and writer, whose generated types say less than it takes."""
_IDENTIFIER = b"TFL3"
_TYPES: dict[str, int] = {
    "float32": schema.TensorType.FLOAT32,
    "float16": schema.TensorType.FLOAT16,
    "int8": schema.TensorType.INT8,
    "int16": schema.TensorType.INT16,
    "int32": schema.TensorType.INT32,
    "int64": schema.TensorType.INT64,
}
_DTYPES = {code: np.dtype(name) for name, code in _TYPES.items()}
_KINDS = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
_FLATBUFFER_BYTES = 1024
_NO_TENSOR = -1
"""Stands for an optional input that an operator does without."""

IntArray = npt.NDArray[np.int32] | npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Scale:
    """Integers stand for ``(integer - zero) * scale``; both ``[1]``, or ``[C]`` along ``axis``."""

    scale: Float32Array
    zero: IntArray
    axis: int = 0


class _SharingBuilder(flatbuffers.Builder):  # type: ignore[misc] # flatbuffers ships no types
    """Writes equal arrays once: shapes and zero points repeat, and several tables may refer to one vector."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._written: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x: npt.NDArray[Any]) -> int:  # noqa: N802 # the name is flatbuffers'
        """Return where an array lies in the file."""
        key = (x.dtype.str, x.tobytes())
        if key not in self._written:
            self._written[key] = super().CreateNumpyVector(x)
        return self._written[key]


class TfliteGraph:
    """The only subgraph of a TFLite file. Tensors are named by their index."""

    def __init__(self, data: bytes) -> None:
        self._model: Any = schema.ModelT.InitFromPackedBuf(bytearray(data), 0)
        (self._graph,) = self._model.subgraphs

    @property
    def operators(self) -> list[Any]:
        """The operators in the order of execution."""
        return list(self._graph.operators)

    @operators.setter
    def operators(self, operators: Sequence[Any]) -> None:
        self._graph.operators = list(operators)

    @property
    def outputs(self) -> list[int]:
        """The tensors that the graph gives."""
        return [int(index) for index in self._graph.outputs]

    def kind(self, operator: Any) -> str:
        """Return the name of what an operator does, such as ``CONV_2D``."""
        return str(_KINDS[self._model.operatorCodes[operator.opcodeIndex].builtinCode])

    def name(self, tensor: int) -> str:
        """Return the name that the converter gave a tensor."""
        return (self._graph.tensors[tensor].name or b"").decode()

    def shape(self, tensor: int) -> tuple[int, ...]:
        """Return the shape for one sample."""
        return tuple(int(edge) for edge in self._graph.tensors[tensor].shape)

    def is_float(self, tensor: int) -> bool:
        """Whether a tensor is float32."""
        return bool(self._graph.tensors[tensor].type == schema.TensorType.FLOAT32)

    def constant(self, tensor: int) -> npt.NDArray[Any] | None:
        """Return a constant's numbers; None for a tensor that is computed."""
        entry = self._graph.tensors[tensor]
        raw = self._model.buffers[entry.buffer].data
        if raw is None or len(raw) == 0 or entry.type not in _DTYPES:
            return None
        return np.asarray(raw, np.uint8).view(_DTYPES[entry.type]).reshape(self.shape(tensor))

    def add_constant(self, array: npt.NDArray[Any], scale: Scale | None = None) -> int:
        """Add a constant and return its index."""
        buffer = schema.BufferT()
        buffer.data = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        self._model.buffers.append(buffer)
        return self._add(array.shape, array.dtype.name, len(self._model.buffers) - 1, scale)

    def add_tensor_like(self, tensor: int, dtype: str, scale: Scale | None = None) -> int:
        """Add a computed tensor of the shape of another and return its index."""
        index = self._add(self.shape(tensor), dtype, 0, scale)
        self._graph.tensors[index].shapeSignature = self._graph.tensors[tensor].shapeSignature
        return index

    def _add(self, shape: Sequence[int], dtype: str, buffer: int, scale: Scale | None) -> int:
        tensor = schema.TensorT()
        tensor.shape = np.asarray(shape, np.int32)
        tensor.type, tensor.buffer = _TYPES[dtype], buffer
        tensor.hasRank = True
        if scale is not None:
            quantization = schema.QuantizationParametersT()
            quantization.scale, quantization.zeroPoint = scale.scale, scale.zero
            quantization.quantizedDimension = scale.axis
            tensor.quantization = quantization
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def operator(
        self, kind: str, inputs: Sequence[int], outputs: Sequence[int], options: Any = None, version: int = 1
    ) -> Any:
        """Return a new operator, which is not yet in the graph. ``options``: its ``...OptionsT``."""
        made = schema.OperatorT()
        made.opcodeIndex = self._code(kind, version)
        made.inputs, made.outputs = np.asarray(inputs, np.int32), np.asarray(outputs, np.int32)
        if options is not None:
            name = type(options).__name__.removesuffix("T")
            made.builtinOptionsType, made.builtinOptions = getattr(schema.BuiltinOptions, name), options
        return made

    def _code(self, kind: str, version: int) -> int:
        wanted = getattr(schema.BuiltinOperator, kind)
        for index, code in enumerate(self._model.operatorCodes):
            if (code.builtinCode, code.version) == (wanted, version):
                return index
        code = schema.OperatorCodeT()
        # Readers of before 2020 look at the old field, which has one byte.
        code.builtinCode, code.version = wanted, version
        code.deprecatedBuiltinCode = min(wanted, 127)
        self._model.operatorCodes.append(code)
        return len(self._model.operatorCodes) - 1

    def pack(self, *, keep_names: bool = False) -> bytes:
        """Return the file. ``keep_names``: of all tensors, not of inputs and outputs only."""
        self._merge_constants()
        self._drop_unused({*self.outputs, *(int(index) for index in self._graph.inputs)}, keep_names)
        builder = _SharingBuilder(_FLATBUFFER_BYTES)
        builder.Finish(self._model.Pack(builder), _IDENTIFIER)
        return bytes(builder.Output())

    def _merge_constants(self) -> None:
        """Let operators share what is the same: small files hold the same few axes and shapes many times."""
        first: dict[tuple[Any, ...], int] = {}
        for operator in self._graph.operators:
            inputs = [int(tensor) for tensor in operator.inputs]
            for place, tensor in enumerate(inputs):
                entry = self._graph.tensors[tensor]
                numbers = None if tensor == _NO_TENSOR else self.constant(tensor)
                scaled = entry.quantization is not None and entry.quantization.scale is not None
                if numbers is not None and not scaled:
                    key = (entry.type, numbers.shape, numbers.tobytes())
                    inputs[place] = first.setdefault(key, tensor)
            operator.inputs = np.asarray(inputs, np.int32)

    def _drop_unused(self, named: set[int], keep_names: bool) -> None:
        """Leave out tensors that no operator refers to, and their numbers."""
        graph = self._graph
        used = named | {
            int(i) for entry in graph.operators for i in (*entry.inputs, *entry.outputs) if i >= 0
        }
        place = {old: new for new, old in enumerate(sorted(used))}
        place[_NO_TENSOR] = _NO_TENSOR
        for index in () if keep_names else used - named:
            tensor = graph.tensors[index]
            # Only inputs say which edges are open: the rest follows when these are resized.
            tensor.name = tensor.shapeSignature = None
            # Only an empty shape leaves a doubt.
            tensor.hasRank = tensor.hasRank and len(tensor.shape) == 0
            if tensor.quantization is not None and tensor.quantization.scale is None:
                tensor.quantization = None
        graph.tensors = [graph.tensors[index] for index in sorted(used)]

        def moved(indices: Sequence[int]) -> IntArray:
            return np.asarray([place[int(index)] for index in indices], np.int32)

        graph.inputs, graph.outputs = moved(graph.inputs), moved(graph.outputs)
        for entry in graph.operators:
            entry.inputs, entry.outputs, entry.intermediates = moved(entry.inputs), moved(entry.outputs), None
        for signature in self._model.signatureDefs:
            for tensor in (*signature.inputs, *signature.outputs):
                tensor.tensorIndex = place[tensor.tensorIndex]
        order = {0: 0}
        for holder in (*graph.tensors, *(self._model.metadata or ())):
            holder.buffer = order.setdefault(holder.buffer, len(order))
        self._model.buffers = [self._model.buffers[old] for old in order]


def layer_of(name: str, layers: Sequence[str]) -> str | None:
    """Return the Keras layer that a converted tensor belongs to, None where no part of its name tells.

    TensorFlow numbers the layers of a traced model once more: ``model_1/conv_2/...`` is layer ``conv``, or
    ``conv_2`` where there is no ``conv``.
    """
    for part in name.split(";")[0].split("/")[1:]:
        for candidate in (re.sub(r"_\d+$", "", part), part):
            if candidate in layers:
                return candidate
    return None
