"""How a TFLite file stores its weights in fewer bits than it computes with."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from analyte.export.integers import LEAST_STEP, MAX_WEIGHT, SMALL
from analyte.export.onnx_graph import fits_half
from analyte.export.tflite_graph import Scale, TfliteGraph, schema


def store_small(graph: TfliteGraph) -> None:
    """Store float weights in fewer bits: dense layers in eight, convolutions in sixteen.

    They are unpacked once, when the file is opened. Dense layers come after the averages over the picture,
    where the rounding of a weight hardly shows; the first convolution's does (docs/decisions/0018).
    """
    _store(graph, eight_bits="FULLY_CONNECTED", exact="")


def store_half(graph: TfliteGraph) -> None:
    """Store float weights in sixteen bits, but for those of the first convolution.

    What that loses is lost in the colours themselves, before anything is averaged.
    """
    _store(graph, eight_bits="", exact="CONV_2D")


def _store(graph: TfliteGraph, *, eight_bits: str, exact: str) -> None:
    """Store weights. ``eight_bits``: the kind of operator stored so; ``exact``: that whose first is left."""
    operators: list[Any] = []
    stored: dict[int, int] = {}
    for operator in graph.operators:
        kind = graph.kind(operator)
        if kind == exact:
            exact = ""
            operators.append(operator)
            continue
        inputs = [int(tensor) for tensor in operator.inputs]
        for place, tensor in enumerate(inputs):
            weights = graph.constant(tensor)
            if weights is None or weights.dtype != np.float32 or weights.size < SMALL:
                continue
            if (kind == eight_bits and weights.ndim != 2) or not fits_half(weights):
                continue
            if tensor not in stored:
                numbers, scale = _stored(weights, kind, eight_bits)
                small = graph.add_constant(numbers, scale)
                stored[tensor] = graph.add_tensor_like(tensor, "float32")
                operators.append(
                    graph.operator(
                        "DEQUANTIZE",
                        [small],
                        [stored[tensor]],
                        schema.DequantizeOptionsT(),
                        3 if scale is None else 5,
                    )
                )
            inputs[place] = stored[tensor]
        operator.inputs = np.asarray(inputs, np.int32)
        operators.append(operator)
    graph.operators = operators


def _stored(weights: npt.NDArray[Any], kind: str, eight_bits: str) -> tuple[npt.NDArray[Any], Scale | None]:
    """Return weights in fewer bits, and what their integers stand for; None where they are no integers."""
    if kind == eight_bits:
        return per_channel(weights, 0)
    if eight_bits and kind == "MUL" and float(weights.min()) >= 0.0:
        # A window on the picture: 0 and 1 stay what they are, and its edge is steep enough for 127 steps.
        step = float(weights.max()) / MAX_WEIGHT
        return np.rint(weights / step).astype(np.int8), scale_of([step], [0])
    return weights.astype(np.float16), None


def per_channel(
    weights: npt.NDArray[Any], axis: int, least: npt.NDArray[Any] | float = LEAST_STEP
) -> tuple[npt.NDArray[np.int8], Scale]:
    """Return symmetric int8 weights with a scale for each index along ``axis``, none below ``least``."""
    others = tuple(index for index in range(weights.ndim) if index != axis)
    reach = np.abs(weights).max(axis=others) / MAX_WEIGHT
    step = np.expand_dims(np.maximum(np.maximum(reach, least), LEAST_STEP), others)
    integers = np.rint(weights / step).astype(np.int8)
    return integers, scale_of(step.ravel(), np.zeros(step.size), axis)


def scale_of(step: Any, zero: Any, axis: int = 0) -> Scale:
    """Return steps and zero points, one for each index along ``axis``, in the types that the file has."""
    return Scale(np.asarray(step, np.float32), np.asarray(zero, np.int64), axis)
