"""TFLite with int8 weights; ranges of activations are found anew in every picture."""

from __future__ import annotations

import tensorflow as tf

from analyte.export.keras_to_tflite import keras_to_tflite
from analyte.export.source import Source


def convert(source: Source) -> bytes:
    """Return the model with all large weights in integers."""

    def dynamic(converter: tf.lite.TFLiteConverter) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]

    return keras_to_tflite(source.model, dynamic)
