"""ONNX with int8 weights; ranges of activations are found anew in every picture."""

from __future__ import annotations

import logging
import tempfile
import warnings
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from analyte.export.keras_to_onnx import IR_VERSION
from analyte.export.onnx_graph import float_nodes, shorten_names, store_half
from analyte.export.source import Source
from analyte.runtime.engines.onnx import ONE_BY_ONE


def convert(source: Source) -> bytes:
    """Return the model with the convolutions after the first in integers."""
    # It recommends preparing the graph, which frozen ones are, on the root logger.
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        origin, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        origin.write_bytes(source.onnx)
        quantize_dynamic(
            str(origin),
            str(target),
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=float_nodes(onnx.load_from_string(source.onnx).graph),
            per_channel=True,
            weight_type=QuantType.QInt8,
        )
        proto = onnx.load(str(target))
    logging.disable(logging.NOTSET)
    proto.ir_version = IR_VERSION
    # ONNX finds one range for a whole batch: a neighbour would change what a picture gives.
    onnx.helper.set_model_props(proto, {ONE_BY_ONE: "ranges are those of a batch"})
    store_half(proto.graph)
    shorten_names(proto.graph)
    onnx.checker.check_model(proto, full_check=True)
    data: bytes = proto.SerializeToString()
    return data
