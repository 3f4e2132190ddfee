"""A TFLite graph without what it takes to find out a number that is known: how many samples there are.

The converter lets a reshape ask for the number of samples, piece by piece, although one edge may be left to
be found by itself. What asks is a quarter of the operators of a small network, and accelerators refuse it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from analyte.export.tflite_graph import TfliteGraph

_OPEN = -1
_SAMPLES = (2, 3)
"""Numbers of samples with which the graph is run: an edge that is the same for both is known."""


def simplify_tflite(data: bytes) -> bytes:
    """Return the same graph with constant shapes wherever no more than one edge is open."""
    graph = TfliteGraph(data)
    asking = [
        operator
        for operator in graph.operators
        if graph.kind(operator) == "RESHAPE" and graph.constant(int(operator.inputs[1])) is None
    ]
    found = _signatures(data, [int(operator.outputs[0]) for operator in asking])
    for operator in asking:
        shape = found[int(operator.outputs[0])]
        if shape.count(_OPEN) <= 1:
            stated = graph.add_constant(np.asarray(shape, np.int32))
            operator.inputs = np.asarray([operator.inputs[0], stated], np.int32)
    graph.operators = _needed(graph.operators, graph.outputs)
    return graph.pack(keep_names=True)


def _signatures(data: bytes, tensors: Sequence[int]) -> dict[int, tuple[int, ...]]:
    """Return the shape of each tensor for any number of samples, -1 for an edge that follows from it."""
    if not tensors:
        return {}
    interpreter = Interpreter(
        model_content=data,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    few, more = (_shapes(interpreter, tensors, samples) for samples in _SAMPLES)
    return {
        tensor: tuple(
            edge if edge == other else _OPEN for edge, other in zip(few[tensor], more[tensor], strict=True)
        )
        for tensor in tensors
    }


def _shapes(interpreter: Any, tensors: Sequence[int], samples: int) -> dict[int, tuple[int, ...]]:
    inputs = interpreter.get_input_details()
    for entry in inputs:
        interpreter.resize_tensor_input(entry["index"], [samples, *entry["shape"][1:]])
    interpreter.allocate_tensors()
    for entry in inputs:
        interpreter.set_tensor(entry["index"], np.zeros([samples, *entry["shape"][1:]], entry["dtype"]))
    interpreter.invoke()
    return {tensor: interpreter.get_tensor(tensor).shape for tensor in tensors}


def _needed(operators: Sequence[Any], outputs: Sequence[int]) -> list[Any]:
    """Return the operators that something depends on, in order."""
    wanted, kept = set(outputs), []
    for operator in reversed(operators):
        if wanted.isdisjoint(int(tensor) for tensor in operator.outputs):
            continue
        wanted.update(int(tensor) for tensor in operator.inputs)
        kept.append(operator)
    return kept[::-1]
