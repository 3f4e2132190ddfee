"""Keras to TFLite under the graph contract, builtin operators only."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from analyte.contract.native_output import native_stderr_off
from analyte.export.frozen_graph import saved_model
from analyte.export.tflite_simplification import simplify_tflite
from analyte.export.unsupported import UnsupportedError, convert_model, reason


def keras_to_tflite(
    model: keras.Model, configure: Callable[[tf.lite.TFLiteConverter], None] = lambda converter: None
) -> bytes:
    """Convert. Signature ``serving_default``, inputs named as those of ``model``, the batch size free.

    ``configure`` sets what is not float32 about it.
    Raises: UnsupportedError naming the layers that TFLite has no operator for.
    """
    return convert_model(model, partial(_converted, configure=configure))


def _converted(frozen: Any, configure: Callable[[tf.lite.TFLiteConverter], None]) -> bytes:
    with saved_model(frozen) as folder, native_stderr_off():
        converter = tf.lite.TFLiteConverter.from_saved_model(str(folder))
        # Without this list the converter may emit Flex operators, which LiteRT does not run.
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        configure(converter)
        try:
            data: bytes = converter.convert()
        # TensorFlow's ConverterError has no base but Exception.
        except Exception as error:
            raise UnsupportedError("TFLite has no operator for every layer", got=reason(error)) from error
    return simplify_tflite(data)
