"""ONNX with weights in half precision, which are unpacked when the file is opened; it computes in float32.

Processors have no kernels for half precision, and ONNX Runtime would convert every picture to and fro; a GPU
that computes in it, as TensorRT does when told to, does so whatever the file holds.
"""

from __future__ import annotations

import onnx

from analyte.export.onnx_graph import first_weights, shorten_names, store_half
from analyte.export.source import Source


def convert(source: Source) -> bytes:
    """Return the model with half the bytes."""
    proto = onnx.load_from_string(source.onnx)
    # What half of the first convolution loses is lost in the colours themselves, before anything is averaged.
    store_half(proto.graph, first_weights(proto.graph))
    shorten_names(proto.graph)
    onnx.checker.check_model(proto, full_check=True)
    data: bytes = proto.SerializeToString()
    return data
