"""Keras to TFLite int8: the trunk's convolutions and pooling quantized, everything else left in float.

The first convolution stays in float too: see docs/decisions/0008.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from analyte.contract.arrays import Float32Array, UInt8Array
from analyte.contract.native_output import native_stderr_off
from analyte.contract.run import graph_input
from analyte.export.frozen_graph import freeze, saved_model
from analyte.export.tflite_operators import first_output, operators
from analyte.export.trained_model import COVARIATES, IMAGE

_TRUNK_OPS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D", "MAX_POOL_2D"})
"""Averages over the picture and the head stay in float: their rounding would become a bias of the value."""


def quantize_tflite(
    model: keras.Model,
    float_data: bytes,
    calibration: UInt8Array,
    covariates: Float32Array | None = None,
) -> bytes:
    """Quantize statically: int8 weights per channel, int8 activations, uint8 input, float32 outputs.

    ``float_data``: the float32 conversion of ``model``, which tells what operators there are.
    ``calibration``: uint8 ``[N, V, S, S, 3]``, RGB, of the training data. ``covariates``: float32 ``[N, K]``;
    None where K is 0.
    """

    first = first_output(float_data, "CONV_2D")

    def pictures() -> Iterator[dict[str, Any]]:
        for index in range(len(calibration)):
            feed: dict[str, Any] = {IMAGE: graph_input(calibration[index : index + 1])}
            if covariates is not None and covariates.shape[1]:
                feed[COVARIATES] = covariates[index : index + 1]
            yield feed

    with saved_model(freeze(model)) as folder, native_stderr_off(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        converter = tf.lite.TFLiteConverter.from_saved_model(str(folder))
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = pictures
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.TFLITE_BUILTINS_INT8,
            tf.lite.OpsSet.TFLITE_BUILTINS,
        ]
        # The debugger is the converter's only way to keep named operators in float within one file.
        options = tf.lite.experimental.QuantizationDebugOptions(
            denylisted_ops=sorted(set(operators(float_data)) - _TRUNK_OPS),
            denylisted_nodes=[first] if first else [],
        )
        debugger = tf.lite.experimental.QuantizationDebugger(
            converter=converter, debug_dataset=pictures, debug_options=options
        )
        data: bytes = debugger.get_nondebug_quantized_model()
    return data
