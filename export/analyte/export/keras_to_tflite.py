"""Keras to TFLite under the graph contract, builtin operators only."""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf

from analyte.contract.native_output import native_stderr_off
from analyte.export.frozen_graph import freeze, saved_model


def keras_to_tflite(
    model: keras.Model, configure: Callable[[tf.lite.TFLiteConverter], None] = lambda converter: None
) -> bytes:
    """Convert. Signature ``serving_default``, inputs named as those of ``model``, the batch size free.

    ``configure`` sets what is not float32 about it.
    """
    with saved_model(freeze(model)) as folder, native_stderr_off():
        converter = tf.lite.TFLiteConverter.from_saved_model(str(folder))
        # Without this list the converter may emit Flex operators, which LiteRT does not run.
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        configure(converter)
        data: bytes = converter.convert()
    return data
