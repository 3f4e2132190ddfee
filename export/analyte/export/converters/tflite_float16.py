"""TFLite with weights in half precision; it computes in float32, a GPU delegate in half precision."""

from __future__ import annotations

import tensorflow as tf

from analyte.export.keras_to_tflite import keras_to_tflite
from analyte.export.source import Source


def convert(source: Source) -> bytes:
    """Return the model with half the bytes."""

    def half(converter: tf.lite.TFLiteConverter) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]

    return keras_to_tflite(source.model, half)
