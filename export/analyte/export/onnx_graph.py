"""Changes to ONNX graphs that the converters share: pooling as convolution, and weights in fewer bits."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from analyte.export.integers import LEAST_STEP, MAX_WEIGHT, SMALL
from analyte.export.tflite_graph import layer_of

_DENSE = frozenset({"MatMul", "Gemm"})


def constants(graph: Any) -> dict[str, npt.NDArray[Any]]:
    """Return the initializers by name."""
    return {entry.name: numpy_helper.to_array(entry) for entry in graph.initializer}


def float_nodes(graph: Any, keep_float: Collection[str] = (), layers: Sequence[str] = ()) -> list[str]:
    """Return the names of nodes that stay in float although others of their kind are quantized.

    Those are convolutions of the picture itself, pooling that only they feed, the convolutions of the Keras
    layers ``keep_float``, and activations of anything but a quantized convolution. ``layers``: all names.
    """
    kept: list[str] = []
    reached: set[str] = set()
    convolved: set[str] = set()
    behind: set[str] = set()
    for node in graph.node:
        follows = not behind.isdisjoint(node.input)
        if follows or node.op_type == "Conv":
            behind.update(node.output)
        if node.op_type == "Conv":
            if not follows or _layer_of(node, layers) in keep_float:
                kept.append(node.name)
                continue
            convolved.update(node.output)
            reached.update(node.output)
            continue
        if node.op_type in ("Relu", "Clip") and node.input[0] not in convolved:
            kept.append(node.name)
        if not reached.isdisjoint(node.input):
            reached.update(node.output)
        elif node.op_type in ("AveragePool", "MaxPool"):
            kept.append(node.name)
    return kept


def _layer_of(convolution: Any, layers: Sequence[str]) -> str | None:
    """Return the Keras layer of a convolution: depthwise weights are turned, and lose their name, not so the
    bias."""
    names = (*convolution.input[1:], *convolution.output)
    return next((layer for name in names if (layer := layer_of(name, layers)) is not None), None)


def average_by_convolution(graph: Any, but: Collection[str]) -> None:
    """Replace average pooling by depthwise convolutions, which say the same, except the nodes ``but``.

    ONNX Runtime's integer average pooling is four times as slow. Needs inferred shapes.
    """
    shapes = {
        entry.name: [dim.dim_value for dim in entry.type.tensor_type.shape.dim] for entry in graph.value_info
    }
    for position, node in enumerate(graph.node):
        given = {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}
        if (
            node.op_type != "AveragePool"
            or node.name in but
            or not _covers(given, shapes.get(node.input[0], []))
        ):
            continue
        channels, window = shapes[node.input[0]][1], given["kernel_shape"]
        share = np.full((channels, 1, *window), 1.0 / np.prod(window), np.float32)
        weights = f"{node.output[0]}_share"
        graph.initializer.append(numpy_helper.from_array(share, weights))
        made = onnx.helper.make_node(
            "Conv",
            [node.input[0], weights],
            list(node.output),
            name=node.name,
            group=channels,
            kernel_shape=window,
            strides=window,
        )
        graph.node[position].CopyFrom(made)


def _covers(given: dict[str, Any], shape: list[int]) -> bool:
    """Whether the windows tile the picture: none beyond it, none over another."""
    window, strides = given.get("kernel_shape"), given.get("strides")
    if not window or window != strides or any(given.get("pads", ())) or len(shape) != 4:
        return False
    if given.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID") or shape[1] == 0:
        return False
    return all(edge > 0 and edge % step == 0 for edge, step in zip(shape[2:], window, strict=True))


def fits_half(numbers: npt.NDArray[Any]) -> bool:
    """Whether half precision holds the numbers to eleven bits: none too large, none that counts too small."""
    largest = float(np.abs(numbers).max(initial=0.0))
    return largest == 0.0 or 1e-2 <= largest <= 6e4


def store_half(graph: Any, but: Collection[str] = ()) -> None:
    """Store large float32 constants in sixteen bits, which are unpacked when the file is opened."""
    for name, numbers in constants(graph).items():
        if name not in but and numbers.dtype == np.float32 and numbers.size >= SMALL and fits_half(numbers):
            _replace(
                graph, name, [(f"{name}_half", numbers.astype(np.float16))], "Cast", to=onnx.TensorProto.FLOAT
            )


def first_weights(graph: Any) -> list[str]:
    """Return the name of the first convolution's weights, if there is one."""
    return next(([node.input[1]] for node in graph.node if node.op_type == "Conv"), [])


def store_small(graph: Any) -> None:
    """Store the weights of what stays in float in fewer bits: dense layers and windows in eight, others in
    sixteen.

    Dense layers come after the averages over the picture, where the rounding of a weight hardly shows; the
    first convolution's does. A window on the picture keeps its 0 and 1, and its edge is steep enough for 127
    steps.
    """
    known = constants(graph)
    done: set[str] = set()
    kept: set[str] = set()
    for node in list(graph.node):
        for name in node.input:
            weights = known.get(name)
            if name in done or weights is None or weights.dtype != np.float32 or weights.size < SMALL:
                continue
            reach = _reach(node, weights)
            if reach is None:
                continue
            step = np.maximum(reach / MAX_WEIGHT, LEAST_STEP).astype(np.float32)
            done.add(name)
            whole, steps = f"{name}_whole", f"{name}_step"
            # Steps are a hundredth of the weights: too small for half precision.
            kept.add(steps)
            integers = np.rint(weights / step).astype(np.int8)
            # Not DequantizeLinear, which ONNX Runtime would run anew for every picture.
            _replace(graph, whole, [(f"{name}_integers", integers)], "Cast", to=onnx.TensorProto.FLOAT)
            _replace(graph, name, [(steps, step)], "Mul", whole)
    store_half(graph, kept)


def _reach(node: Any, weights: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
    """Return the largest magnitude of each row of weights, to be broadcast against them; None where they do
    not go into eight bits."""
    if node.op_type in _DENSE and weights.ndim == 2:
        turned = any(entry.name == "transB" and entry.i for entry in node.attribute)
        return np.asarray(np.abs(weights).max(axis=1 if turned else 0, keepdims=True))
    if node.op_type == "Mul" and float(weights.min()) >= 0.0:
        return np.asarray(weights.max())
    return None


def _replace(
    graph: Any,
    name: str,
    stored: list[tuple[str, npt.NDArray[Any]]],
    operator: str,
    *others: str,
    **attributes: Any,
) -> None:
    """Let ``operator``, on stored constants and other tensors, give what the initializer ``name`` held."""
    for entry in list(graph.initializer):
        if entry.name == name:
            graph.initializer.remove(entry)
    graph.initializer.extend(numpy_helper.from_array(array, key) for key, array in stored)
    node = onnx.helper.make_node(operator, [*others, *(key for key, _ in stored)], [name], **attributes)
    graph.node.insert(len(others), node)


def shorten_names(graph: Any) -> None:
    """Give inner tensors and nodes the shortest names there are: long ones are a tenth of a small file."""
    kept = {entry.name for entry in (*graph.input, *graph.output)} | {""}
    short: dict[str, str] = {}

    def of(name: str) -> str:
        return name if name in kept else short.setdefault(name, f"{len(short):x}")

    for entry in graph.initializer:
        entry.name = of(entry.name)
    for node in graph.node:
        node.name = ""
        for names in (node.input, node.output):
            names[:] = [of(name) for name in names]
    # What shape inference noted down is found again by whoever opens the file.
    del graph.value_info[:]
