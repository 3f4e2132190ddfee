"""What a network costs the device: multiply-accumulates of one sample, and its time on this machine."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

_WARM_UP = 3
"""Runs before the clock starts: the first ones trace and allocate."""


def count_macs(model: keras.Model) -> int:
    """Return the multiply-accumulates (MACs) that one sample costs, with all views and nested models.

    Counted are the products of convolutions and matrices: one per output and weight that it depends on,
    at the border too, as if the padding were data. Sums, rectifiers and what depends on weights alone,
    such as the spreading of shared kernels, are not: a device has them folded or hardly notices them.

    ``model``: built, with static shapes but for the batch, such as a trained or a folded network.
    Raises: ValueError when it multiplies in a way that is not known here.
    """
    return sum(_macs(operation) for operation in _depending_on_input(_graph_of_one_sample(model)))


def measure_latency(model: keras.Model, runs: int = 50) -> float:
    """Return the median time that one sample takes here as a TensorFlow function, milliseconds.

    It ranks networks on one machine; exported files are faster. ``runs``: number of timed runs, of one
    sample each.
    """
    function = tf.function(lambda sample: model(sample, training=False), autograph=False)
    sample = keras.tree.map_structure(
        lambda spec: tf.constant(np.full(spec.shape, 1, spec.dtype.as_numpy_dtype)), _one_sample(model)
    )
    for _ in range(_WARM_UP):
        _finished(function(sample))
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        _finished(function(sample))
        seconds.append(time.perf_counter() - start)
    return 1e3 * statistics.median(seconds)


def _finished(outputs: Any) -> None:
    """Wait for results: a GPU gives them back before they are there."""
    for tensor in keras.tree.flatten(outputs):
        tensor.numpy()


def _one_sample(model: keras.Model) -> Any:
    return keras.tree.map_structure(
        lambda tensor: tf.TensorSpec((1, *tensor.shape[1:]), tensor.dtype, name=tensor.name), model.input
    )


def _graph_of_one_sample(model: keras.Model) -> Any:
    function = tf.function(lambda sample: model(sample, training=False), autograph=False)
    return function.get_concrete_function(_one_sample(model)).graph


def _depending_on_input(graph: Any) -> list[Any]:
    """Return the operations that the network's inputs flow through."""
    reached = {tensor.ref() for tensor in graph.inputs if tensor.dtype != tf.resource}
    found = []
    for operation in graph.get_operations():  # in the order of their making: inputs first
        if any(tensor.ref() in reached for tensor in operation.inputs):
            reached.update(tensor.ref() for tensor in operation.outputs)
            found.append(operation)
    return found


def _macs(operation: Any) -> int:
    count = _COUNTS.get(operation.type)
    if count is not None:
        return count(operation)
    if operation.type in _NOT_COUNTED:
        raise ValueError(f"cannot count the multiply-accumulates of {operation.type} ({operation.name})")
    return 0


def _size(tensor: Any) -> int:
    if not tensor.shape.is_fully_defined():
        raise ValueError(f"the shape of {tensor.name} is not static: {tensor.shape}")
    return math.prod(map(int, tensor.shape))


def _convolution(operation: Any) -> int:
    # Kernel [rows, columns, input channels of one group, filters].
    rows, columns, channels, _ = operation.inputs[1].shape.as_list()
    return _picture_size(operation.outputs[0]) * int(rows * columns * channels)


def _depthwise(operation: Any) -> int:
    # Kernel [rows, columns, channels, multiplier]: each output sees one channel.
    rows, columns, *_ = operation.inputs[1].shape.as_list()
    return _picture_size(operation.outputs[0]) * int(rows * columns)


def _picture_size(convolved: Any) -> int:
    """Return the numbers in a convolution's output.

    TensorFlow convolves with dilation by way of an array of smaller, padded pictures, which holds more
    than the picture that comes of it.
    """
    for consumer in convolved.consumers():
        if consumer.type == "BatchToSpaceND":
            return _size(consumer.outputs[0])
    return _size(convolved)


def _matrix_product(operation: Any) -> int:
    transposed = operation.get_attr("transpose_a" if operation.type == "MatMul" else "adj_x")
    inner = operation.inputs[0].shape.as_list()[-2 if transposed else -1]
    return _size(operation.outputs[0]) * int(inner)


_COUNTS: Mapping[str, Callable[[Any], int]] = {
    "Conv2D": _convolution,
    "DepthwiseConv2dNative": _depthwise,
    "MatMul": _matrix_product,
    "BatchMatMul": _matrix_product,
    "BatchMatMulV2": _matrix_product,
    "BatchMatMulV3": _matrix_product,
}
"""Multiply-accumulates of one TensorFlow operation, by its type."""

_NOT_COUNTED = frozenset(
    (
        "Conv", "Conv2DBackpropInput", "Conv3D", "Einsum", "If", "PartitionedCall",
        "StatefulPartitionedCall", "StatelessIf", "StatelessWhile", "While",
    )
)  # fmt: skip
"""Operations that multiply, or hold others that may, and do so unseen by `_COUNTS`."""
