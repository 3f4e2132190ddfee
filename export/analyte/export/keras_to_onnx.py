"""Keras to ONNX, float32, under the graph contract."""

from __future__ import annotations

from typing import Any

import keras
import onnx
import tf2onnx

from analyte.contract.native_output import native_stderr_off
from analyte.export.trained_model import OUTPUTS, inputs_of
from analyte.export.unsupported import UnsupportedError, convert_model, reason

OPSET = 17
"""What tf2onnx is tested with, and old enough for every ONNX Runtime that is still in use on boards."""
IR_VERSION = 8
"""Pinned: a newer onnx writes a version that an older ONNX Runtime refuses."""
_BATCH = "N"


def keras_to_onnx(model: keras.Model) -> bytes:
    """Convert. Inputs and outputs named as those of ``model``, the batch size free.

    Raises: UnsupportedError naming the layers that ONNX has no operator for.
    """
    proto = convert_model(model, _converted)
    found = {tensor.name for tensor in proto.graph.output}
    taken = [tensor.name for tensor in proto.graph.input]
    if taken != list(inputs_of(model)) or found != set(OUTPUTS):
        raise RuntimeError(f"tf2onnx renamed the graph's tensors: {taken}, {found}")
    data: bytes = proto.SerializeToString()
    return data


def _converted(frozen: Any) -> onnx.ModelProto:
    try:
        with native_stderr_off():
            proto, _ = tf2onnx.convert.from_function(
                frozen, input_signature=frozen.input_signature, opset=OPSET
            )
        proto.ir_version = IR_VERSION
        for tensor in proto.graph.input:
            # One name for the batch size of all inputs: else shape inference takes them for different ones.
            tensor.type.tensor_type.shape.dim[0].dim_param = _BATCH
        onnx.checker.check_model(proto, full_check=True)
    # tf2onnx raises what it meets, and the checker's error has no base but Exception.
    except Exception as error:
        raise UnsupportedError("ONNX has no operator for every layer", got=reason(error)) from error
    return proto
