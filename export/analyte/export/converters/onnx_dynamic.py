"""ONNX with int8 weights; ranges of activations are found anew in every picture."""

from __future__ import annotations

import contextlib
import logging
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from analyte.export.keras_to_onnx import IR_VERSION
from analyte.export.onnx_graph import float_nodes, shorten_names, store_half
from analyte.export.source import Source
from analyte.runtime.engines.onnx import ONE_BY_ONE


def convert(source: Source) -> bytes:
    """Return the model with the convolutions after the first in integers."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        origin, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        origin.write_bytes(source.onnx)
        with _quiet():
            _quantize(origin, target, source)
        proto = onnx.load(str(target))
    proto.ir_version = IR_VERSION
    # ONNX finds one range for a whole batch: a neighbour would change what a picture gives.
    onnx.helper.set_model_props(proto, {ONE_BY_ONE: "ranges are those of a batch"})
    store_half(proto.graph)
    shorten_names(proto.graph)
    onnx.checker.check_model(proto, full_check=True)
    data: bytes = proto.SerializeToString()
    return data


def _quantize(origin: Path, target: Path, source: Source) -> None:
    floats = float_nodes(onnx.load(str(origin)).graph, source.keep_float, source.layers)
    quantize_dynamic(
        str(origin),
        str(target),
        op_types_to_quantize=["Conv"],
        nodes_to_exclude=floats,
        per_channel=True,
        weight_type=QuantType.QInt8,
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence its advice, on the root logger, to prepare the graph: frozen ones are."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
