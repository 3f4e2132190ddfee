"""What numbers the tensors of a TFLite file take on calibration pictures."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from analyte.contract.arrays import Float32Array, UInt8Array
from analyte.contract.run import graph_input
from analyte.export.trained_model import COVARIATES, IMAGE

_BATCH = 16


def observe(
    data: bytes, images: UInt8Array, covariates: Float32Array | None, tensors: Collection[int]
) -> Iterator[dict[int, Float32Array]]:
    """Run the float graph on uint8 ``[N, V, S, S, 3]``, RGB, and give what ``tensors`` hold, batch by batch.

    ``covariates``: float32 ``[N, K]``; None where K is 0.
    """
    interpreter = Interpreter(
        model_content=data,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    inputs = {
        name: details["index"]
        for name, details in interpreter.get_signature_runner().get_input_details().items()
    }
    for start in range(0, len(images), _BATCH):
        chosen = slice(start, start + _BATCH)
        feed = {IMAGE: graph_input(images[chosen])}
        if COVARIATES in inputs and covariates is not None:
            feed[COVARIATES] = covariates[chosen]
        for name, array in feed.items():
            interpreter.resize_tensor_input(inputs[name], list(array.shape))
        interpreter.allocate_tensors()
        for name, array in feed.items():
            interpreter.set_tensor(inputs[name], array)
        interpreter.invoke()
        yield {tensor: interpreter.get_tensor(tensor) for tensor in tensors}


def measure_ranges(
    data: bytes, images: UInt8Array, covariates: Float32Array | None, tensors: Collection[int]
) -> dict[int, tuple[float, float]]:
    """Return the smallest and largest number of each of ``tensors``; see `observe`."""
    low = dict.fromkeys(tensors, np.inf)
    high = dict.fromkeys(tensors, -np.inf)
    for seen in observe(data, images, covariates, tensors):
        for tensor, numbers in seen.items():
            low[tensor] = min(low[tensor], float(numbers.min()))
            high[tensor] = max(high[tensor], float(numbers.max()))
    return {tensor: (low[tensor], high[tensor]) for tensor in tensors}
