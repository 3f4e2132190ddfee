"""TFLite of nothing but integers, uint8 in and int8 out, for accelerators that know nothing else.

The file gives the features, and the value is decoded from all of them by a float head that travels within the
file and runs on the processor: one quantized number could only say 256 different values.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from analyte.contract.arrays import Float32Array, UInt8Array
from analyte.contract.errors import SettingsError
from analyte.contract.native_output import native_stderr_off
from analyte.contract.run import graph_input
from analyte.export.balanced_planes import balance_planes
from analyte.export.frozen_graph import freeze, saved_model
from analyte.export.head_refit import refit
from analyte.export.keras_to_tflite import keras_to_tflite
from analyte.export.source import Source
from analyte.export.tflite_graph import TfliteGraph
from analyte.export.trained_model import IMAGE, FeatureCorrection, cloned, inputs_of, split_head
from analyte.export.unsupported import UnsupportedError, reason
from analyte.runtime.engines.associated_files import HEAD_FILE, attach

_OUTPUTS = ("features",)
_FIX = "Use the format tflite-int8, or train with --colour rgb"


def convert(source: Source) -> bytes:
    """Return the integer trunk with its head behind it.

    Raises: UnsupportedError for a layer that cannot compute in integers; SettingsError where one is to stay
    in float.
    """
    if source.keep_float:
        raise SettingsError(
            "--keep-float: tflite-int8-strict has no layer in float", fix="Leave one of them out"
        )
    trunk = _integers(source)
    raw = _run(trunk, source.recorded)
    head = keras_to_tflite(_head(source.model, refit(raw, source.features)))
    return attach(trunk, {HEAD_FILE: head})


def _integers(source: Source) -> bytes:
    """Return the trunk as integers only."""

    def pictures() -> Iterator[dict[str, Any]]:
        # Black and white: the input's integers are the camera's own, whatever the training pictures reach.
        for level in (0.0, 255.0):
            yield {IMAGE: np.full_like(graph_input(source.calibration[:1]), level, np.float32)}
        for index in range(len(source.calibration)):
            yield {IMAGE: graph_input(source.calibration[index : index + 1]).astype(np.float32)}

    # One picture at a time: accelerators compile fixed sizes only.
    frozen = freeze(_float_trunk(source), _OUTPUTS, batch=1)
    with saved_model(frozen) as folder, native_stderr_off(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        converter = tf.lite.TFLiteConverter.from_saved_model(str(folder))
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = pictures
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type, converter.inference_output_type = tf.uint8, tf.int8
        try:
            data: bytes = converter.convert()
        # TensorFlow's ConverterError has no base but Exception.
        except Exception as error:
            raise UnsupportedError(
                "the network has layers that cannot compute in integers",
                got=reason(error),
                fix=_FIX,
            ) from error
    _check(data)
    return data


def _check(trunk: bytes) -> None:
    """Refuse what is not integers throughout: the converter leaves in float what it has no integers for."""
    graph = TfliteGraph(trunk)
    floats = {
        graph.kind(operator)
        for operator in graph.operators
        if any(
            tensor >= 0 and graph.is_float(int(tensor)) for tensor in (*operator.inputs, *operator.outputs)
        )
    } - {"QUANTIZE", "DEQUANTIZE"}
    if floats:
        raise UnsupportedError(
            f"the network has layers that cannot compute in integers: {', '.join(sorted(floats))}", fix=_FIX
        )
    details = _opened(trunk).get_signature_runner().get_input_details()[IMAGE]
    if details["quantization"] != (1.0, 0):
        raise UnsupportedError(
            "the network's input cannot be the camera's integers",
            expected="scale 1, zero point 0",
            got=details["quantization"],
            fix=_FIX,
        )


def _opened(trunk: bytes) -> Interpreter:
    with native_stderr_off():  # LiteRT announces its delegate there
        interpreter = Interpreter(model_content=trunk)
        interpreter.allocate_tensors()
    return interpreter


def _float_trunk(source: Source) -> keras.Model:
    """Return the trunk with a float32 picture of 0 to 255 as its input, which a converter can quantize."""
    trunk, _ = split_head(source.model)
    image = inputs_of(source.model)[IMAGE]
    given = keras.Input(image.shape[1:], dtype="float32", name=IMAGE)
    copy = cloned(trunk, input_tensors=given)
    balance_planes(copy, source.calibration)
    return keras.Model(copy.inputs[0], {"features": copy.outputs[0]}, name=source.model.name)


def _head(model: keras.Model, correction: FeatureCorrection) -> keras.Model:
    """Return what turns raw features, and covariates where there are any, into the graph's outputs."""
    trunk, head = split_head(model)
    raw = keras.Input(trunk.output.shape[1:], name="raw")
    features = keras.layers.Rescaling(correction.gain.tolist(), correction.offset.tolist())(raw)
    _, *beside = inputs_of(model).values()
    given = {"raw": raw, **{tensor.name: tensor for tensor in beside}} if beside else raw
    outputs = {**head([features, *beside] if beside else features), "features": features}
    return keras.Model(given, outputs, name=model.name)


def _run(trunk: bytes, images: UInt8Array) -> Float32Array:
    """Return the trunk's features, dequantized, float32 ``[N, F]``."""
    runner = _opened(trunk).get_signature_runner()
    step, zero = runner.get_output_details()["features"]["quantization"]
    parts = [
        runner(**{IMAGE: graph_input(images[index : index + 1])})["features"] for index in range(len(images))
    ]
    features: Float32Array = (np.concatenate(parts).astype(np.float32) - zero) * np.float32(step)
    return features
