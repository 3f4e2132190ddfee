"""ONNX float32 to int8: the trunk's convolutions and pooling quantized, everything else left in float.

The first convolution stays in float too: see docs/decisions/0008.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from analyte.contract.arrays import Float32Array, UInt8Array
from analyte.contract.run import graph_input
from analyte.export.keras_to_onnx import IR_VERSION
from analyte.export.onnx_graph import average_by_convolution, float_nodes, shorten_names, store_small
from analyte.export.trained_model import COVARIATES, IMAGE

_TRUNK_OPS = ("Conv", "Relu", "Clip", "AveragePool", "MaxPool")
"""With Relu and Clip, which then cost nothing: the integers of a convolution's result begin and end where
they cut. Averages over the picture and the head stay in float: their rounding would become a bias of the
value."""


class _Pictures(CalibrationDataReader):  # type: ignore[misc] # onnxruntime ships no types
    """Feeds calibration pictures one at a time: a large batch only costs memory."""

    def __init__(self, images: UInt8Array, covariates: Float32Array) -> None:
        beside = covariates.shape[1] > 0
        self._feed: Iterator[dict[str, Any]] = (
            {IMAGE: graph_input(images[i : i + 1]), **({COVARIATES: covariates[i : i + 1]} if beside else {})}
            for i in range(len(images))
        )

    def get_next(self) -> Any:
        """Return the next feed, None after the last."""
        return next(self._feed, None)


def quantize_onnx(
    data: bytes,
    calibration: UInt8Array,
    covariates: Float32Array | None = None,
    keep_float: Collection[str] = (),
    layers: Sequence[str] = (),
) -> bytes:
    """Quantize statically, QDQ format, int8 weights per channel and int8 activations.

    ``calibration``: uint8 ``[N, V, S, S, 3]``, RGB, of the training data. ``covariates``: float32 ``[N, K]``;
    None where K is 0. ``keep_float``: Keras layers that stay in float; ``layers``: all.
    """
    if covariates is None:
        covariates = np.zeros((len(calibration), 0), np.float32)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        source, prepared, target = (Path(folder) / name for name in ("float.onnx", "pre.onnx", "int8.onnx"))
        source.write_bytes(data)
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=False)
        floats = onnx.load(str(prepared))
        in_float = float_nodes(floats.graph, keep_float, layers)
        average_by_convolution(floats.graph, in_float)
        onnx.save(floats, str(prepared))
        quantize_static(
            str(prepared),
            str(target),
            _Pictures(calibration, covariates),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(_TRUNK_OPS),
            nodes_to_exclude=in_float,
            per_channel=True,
            weight_type=QuantType.QInt8,
            # Signed activations: unsigned ones saturate in the 8-bit kernels of x86 processors without VNNI.
            activation_type=QuantType.QInt8,
        )
        proto = onnx.load(str(target))
    proto.ir_version = IR_VERSION
    store_small(proto.graph)
    shorten_names(proto.graph)
    onnx.checker.check_model(proto, full_check=True)
    quantized: bytes = proto.SerializeToString()
    return quantized
