"""Keras to TFLite, float32, under the graph contract, builtin operators only."""

from __future__ import annotations

import keras
import tensorflow as tf

from analyte.contract.native_output import native_stderr_off
from analyte.export.frozen_graph import freeze, saved_model


def keras_to_tflite(model: keras.Model) -> bytes:
    """Convert. Signature ``serving_default``, inputs named as those of ``model``, the batch size free."""
    with saved_model(freeze(model)) as folder, native_stderr_off():
        converter = tf.lite.TFLiteConverter.from_saved_model(str(folder))
        # Without this list the converter may emit Flex operators, which LiteRT does not run.
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        data: bytes = converter.convert()
    return data
