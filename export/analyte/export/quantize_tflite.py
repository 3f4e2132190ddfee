"""TFLite float32 to integers: the trunk's convolutions and pooling quantized, everything else left in float.

The first convolution stays in float too (docs/decisions/0008), and so does every layer that is asked for.
What stays in float still need not be large: its weights are stored in eight or sixteen bits.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from analyte.export.integers import LEAST_STEP, MAX_WEIGHT
from analyte.export.tflite_graph import Scale, TfliteGraph, layer_of, schema
from analyte.export.tflite_storage import per_channel, scale_of, store_small

Activations = Literal["int8", "int16"]
Ranges = Mapping[int, tuple[float, float]]
"""Smallest and largest number of each float tensor, by index."""

_CONVOLUTIONS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D"})
_POOLS = frozenset({"AVERAGE_POOL_2D", "MAX_POOL_2D"})
_WEIGHT_AXIS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0}
_VERSIONS: Mapping[Activations, Mapping[str, int]] = {
    "int8": {"CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "AVERAGE_POOL_2D": 2, "MAX_POOL_2D": 2, "DEQUANTIZE": 2},
    "int16": {"CONV_2D": 4, "DEPTHWISE_CONV_2D": 5, "AVERAGE_POOL_2D": 3, "MAX_POOL_2D": 3, "DEQUANTIZE": 3},
}
"""Versions of the operators that take these integers, as TensorFlow Lite numbers them."""
_BIAS_LIMIT = 2**30
"""Largest bias, in steps of the accumulator: half of what 32 bits hold."""


@dataclass
class _Trunk:
    """The graph while it is rewritten, operator by operator."""

    graph: TfliteGraph
    ranges: Ranges
    activations: Activations
    integers: dict[int, int] = field(default_factory=dict)
    """The integer tensor of a float one, where there is any."""
    scales: dict[int, Scale] = field(default_factory=dict)
    """Of those integer tensors, by the float one."""
    pending: set[int] = field(default_factory=set)
    """Float tensors that exist as integers only, so far."""
    done: list[Any] = field(default_factory=list)

    def as_integers(self, tensor: int) -> int:
        """Return the integer tensor of a float one, quantizing it here where nothing made it yet."""
        if tensor not in self.integers:
            made = self._make(tensor, None)
            self._append("QUANTIZE", [tensor], [made], schema.QuantizeOptionsT())
        return self.integers[tensor]

    def result(self, tensor: int, scale: Scale | None = None) -> int:
        """Return the integer tensor that a quantized operator writes instead of a float one."""
        self.pending.add(tensor)
        return self._make(tensor, scale)

    def need_float(self, tensor: int) -> None:
        """Dequantize a tensor here where it exists as integers only."""
        if tensor in self.pending:
            self.pending.discard(tensor)
            self._append("DEQUANTIZE", [self.integers[tensor]], [tensor], schema.DequantizeOptionsT())

    def keep(self, operator: Any) -> None:
        """Leave an operator in float."""
        for tensor in operator.inputs:
            self.need_float(int(tensor))
        self.done.append(operator)

    def put(self, kind: str, inputs: Sequence[int], output: int, options: Any) -> None:
        """Append a quantized operator."""
        self._append(kind, inputs, [output], options)

    def _append(self, kind: str, inputs: Sequence[int], outputs: Sequence[int], options: Any) -> None:
        version = _VERSIONS[self.activations].get(kind, 1)
        self.done.append(self.graph.operator(kind, inputs, outputs, options, version))

    def _make(self, tensor: int, scale: Scale | None) -> int:
        scale = scale or self._scale_of(tensor)
        made = self.graph.add_tensor_like(tensor, self.activations, scale)
        self.integers[tensor], self.scales[tensor] = made, scale
        return made

    def _scale_of(self, tensor: int) -> Scale:
        """Return the scale of activations from their range, which always holds 0."""
        low, high = (bound(edge, 0.0) for bound, edge in zip((min, max), self.ranges[tensor], strict=True))
        if self.activations == "int16":
            return scale_of([max(-low, high, LEAST_STEP) / 32767.0], [0])
        step = max(high - low, LEAST_STEP) / 255.0
        return scale_of([step], [round(-128.0 - low / step)])


def quantize_tflite(
    data: bytes,
    ranges: Ranges,
    *,
    activations: Activations = "int8",
    keep_float: Collection[str] = (),
    only: Collection[str] | None = None,
    layers: Sequence[str] = (),
) -> bytes:
    """Quantize the trunk: int8 weights per filter, ``activations`` per tensor; uint8 input, float32 outputs.

    ``ranges``: of every tensor that `trunk_tensors` names. ``layers``: names of the Keras layers;
    ``keep_float``: those that stay in float; ``only``: the only ones that do not.
    """
    graph = TfliteGraph(data)
    positions = _quantized(graph, keep_float, only, layers)
    trunk = _Trunk(graph, ranges, activations)
    for position, operator in enumerate(graph.operators):
        kind = graph.kind(operator)
        if position in positions and kind in _CONVOLUTIONS:
            _convolution(trunk, operator, kind)
        elif position in positions and int(operator.inputs[0]) in trunk.integers:
            _POOLING[kind](trunk, operator)
        else:
            trunk.keep(operator)
    for tensor in graph.outputs:
        trunk.need_float(tensor)
    graph.operators = trunk.done
    if only is None:
        store_small(graph)
    return graph.pack()


def trunk_tensors(data: bytes) -> list[int]:
    """Return the float tensors whose ranges quantization needs."""
    graph = TfliteGraph(data)
    operators = graph.operators
    found = {
        int(tensor)
        for position in _quantized(graph, (), None, ())
        for tensor in (operators[position].inputs[0], operators[position].outputs[0])
    }
    return sorted(found)


def quantized_layers(data: bytes, layers: Sequence[str]) -> dict[str, int]:
    """Return the layers whose convolutions are quantized, and the tensor that each writes, in order."""
    graph = TfliteGraph(data)
    operators = graph.operators
    found: dict[str, int] = {}
    for position in sorted(_quantized(graph, (), None, ())):
        operator = operators[position]
        if graph.kind(operator) in _CONVOLUTIONS:
            weights = graph.name(int(operator.inputs[1]))
            found[layer_of(weights, layers) or weights] = int(operator.outputs[0])
    return found


def _quantized(
    graph: TfliteGraph, keep_float: Collection[str], only: Collection[str] | None, layers: Sequence[str]
) -> set[int]:
    """Return the positions of the operators to quantize: what hangs on the first convolution's result."""
    positions: set[int] = set()
    reached: set[int] = set()
    for position, operator in enumerate(graph.operators):
        kind = graph.kind(operator)
        inputs, outputs = ([int(tensor) for tensor in side] for side in (operator.inputs, operator.outputs))
        if reached.isdisjoint(inputs):
            if kind in _CONVOLUTIONS:
                reached.update(outputs)
            continue
        reached.update(outputs)
        if kind in _CONVOLUTIONS and graph.constant(inputs[1]) is not None:
            name = graph.name(inputs[1])
            layer = layer_of(name, layers) or name
            if layer not in keep_float and (only is None or layer in only):
                positions.add(position)
        elif kind in _POOLS and only is None:
            positions.add(position)
    return positions


def _convolution(trunk: _Trunk, operator: Any, kind: str) -> None:
    picture, weights, bias = (int(tensor) for tensor in operator.inputs)
    kernel, shifts = trunk.graph.constant(weights), trunk.graph.constant(bias)
    assert kernel is not None
    assert shifts is not None
    trunk.as_integers(picture)
    # A filter of next to no weight takes a coarser step, or its bias would not fit into 32 bits.
    least = np.abs(shifts) / (_BIAS_LIMIT * float(trunk.scales[picture].scale[0]))
    quantized = per_channel(kernel, _WEIGHT_AXIS[kind], least)
    _put_convolution(trunk, kind, picture, quantized, shifts.astype(np.float64), operator)


def _put_convolution(
    trunk: _Trunk,
    kind: str,
    picture: int,
    kernel: tuple[npt.NDArray[np.int8], Scale],
    bias: npt.NDArray[np.float64],
    operator: Any,
    options: Any = None,
) -> None:
    """Append an integer convolution in the place of ``operator``."""
    quantized = trunk.as_integers(picture)
    step = kernel[1].scale.astype(np.float64) * float(trunk.scales[picture].scale[0])
    wide = np.int64 if trunk.activations == "int16" else np.int32
    whole = np.rint(bias / step).astype(wide)
    inputs = [
        quantized,
        trunk.graph.add_constant(*kernel),
        trunk.graph.add_constant(whole, scale_of(step, np.zeros(len(whole)))),
    ]
    trunk.put(kind, inputs, trunk.result(int(operator.outputs[0])), options or operator.builtinOptions)


def _max_pool(trunk: _Trunk, operator: Any) -> None:
    picture = int(operator.inputs[0])
    result = trunk.result(int(operator.outputs[0]), trunk.scales[picture])
    trunk.put("MAX_POOL_2D", [trunk.integers[picture]], result, operator.builtinOptions)


def _average_pool(trunk: _Trunk, operator: Any) -> None:
    """Average by a depthwise convolution: XNNPACK has no integer average pooling, and LiteRT's is slow."""
    picture, options = int(operator.inputs[0]), operator.builtinOptions
    _, *edges, channels = trunk.graph.shape(picture)
    window = (options.filterHeight, options.filterWidth)
    strides = (options.strideH, options.strideW)
    if window != strides or any(edge % step for edge, step in zip(edges, window, strict=True)):
        # Windows that reach beyond the picture divide by fewer pixels: only the operator itself does that.
        result = trunk.result(int(operator.outputs[0]), trunk.scales[picture])
        trunk.put("AVERAGE_POOL_2D", [trunk.integers[picture]], result, options)
        return
    made = schema.DepthwiseConv2DOptionsT()
    made.strideH, made.strideW, made.depthMultiplier = *strides, 1
    made.dilationHFactor = made.dilationWFactor = 1
    made.padding, made.fusedActivationFunction = schema.Padding.VALID, options.fusedActivationFunction
    weights = np.full((1, *window, channels), MAX_WEIGHT, np.int8)
    each = 1.0 / (MAX_WEIGHT * window[0] * window[1])
    kernel = (weights, scale_of(np.full(channels, each), np.zeros(channels), axis=3))
    _put_convolution(trunk, "DEPTHWISE_CONV_2D", picture, kernel, np.zeros(channels), operator, made)


_POOLING: Mapping[str, Callable[[_Trunk, Any], None]] = {
    "AVERAGE_POOL_2D": _average_pool,
    "MAX_POOL_2D": _max_pool,
}
