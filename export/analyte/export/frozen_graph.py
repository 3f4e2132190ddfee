"""A Keras model as a TensorFlow function without variables, under the names of the graph contract."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from analyte.export.trained_model import OUTPUTS, inputs_of

SIGNATURE = "serving_default"


def freeze(model: keras.Model, outputs: Sequence[str] = OUTPUTS, batch: int | None = None) -> Any:
    """Return a function from uint8 ``image``, and float32 ``covariates`` where the model takes any, to a dict
    of ``outputs``, its weights constants.

    ``batch``: how many samples it takes; None for any number. Constants let the converters fold batch
    normalization, and keep variables out of TFLite, whose calibrator cannot run them.
    """
    signature = [
        tf.TensorSpec([batch, *tensor.shape[1:]], tensor.dtype, name=name)
        for name, tensor in inputs_of(model).items()
    ]
    bare = not isinstance(model.input, dict)

    def call(*inputs: Any) -> dict[str, Any]:
        given = (
            inputs[0] if bare else {spec.name: tensor for spec, tensor in zip(signature, inputs, strict=True)}
        )
        return {name: model(given, training=False)[name] for name in outputs}

    constant = convert_variables_to_constants_v2(
        tf.function(call, input_signature=signature, autograph=False).get_concrete_function()
    )

    def frozen(*inputs: Any) -> dict[str, Any]:
        # A frozen function gives its outputs flat, in the order of their sorted names.
        values = tf.nest.flatten(constant(*inputs))
        return {
            name: tf.identity(value, name=name) for name, value in zip(sorted(outputs), values, strict=True)
        }

    return tf.function(frozen, input_signature=signature, autograph=False)


@contextlib.contextmanager
def saved_model(frozen: Any) -> Iterator[Path]:
    """Write a frozen function as a SavedModel that lives as long as the block."""
    module = tf.Module()
    module.call = frozen
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures={SIGNATURE: frozen})
        yield Path(folder)
