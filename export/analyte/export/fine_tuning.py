"""Quantization-aware fine-tuning: the trunk learns to give the trained features although its numbers round.

No labels are needed, and none are used: the teacher is the trained model itself, on the calibration
pictures. Jacob et al., 2018, Quantization and training of neural networks for efficient
integer-arithmetic-only inference, section 3, with distillation for a loss.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from analyte.contract.run import FEATURES_LAYER, graph_input
from analyte.export.fake_quantization import quantized_like_a_device
from analyte.export.source import Source
from analyte.export.trained_model import IMAGE, cloned, inputs_of, predict

_PASSES = 8
_BATCH = 32
_RATE = 2e-4
"""A tenth of what training begins with: the weights are to move by less than their own rounding."""
_SEED = 0


def fine_tune(source: Source) -> keras.Model:
    """Return a copy of the model whose quantized trunk comes nearer to the features of the exact one."""
    exact = source.model
    fake = quantized_like_a_device(exact, source)
    images = source.calibration
    wanted = predict(exact, images, source.calibration_covariates).features
    spread = np.maximum(wanted.std(axis=0), 0.01 * wanted.std()).astype(np.float32)
    trunk = keras.Model(inputs_of(fake.model)[IMAGE], fake.model.get_layer(FEATURES_LAYER).output)
    weights = [
        variable for name in fake.layers for variable in fake.model.get_layer(name).trainable_variables
    ]
    optimizer = keras.optimizers.Adam(
        keras.optimizers.schedules.CosineDecay(_RATE, _PASSES * max(1, len(images) // _BATCH))
    )

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator] # tensorflow ships no types
    def step(pictures: tf.Tensor, features: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            said = trunk(graph_input(pictures), training=False)
            loss = tf.reduce_mean(tf.square((said - features) / spread))
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))

    random = np.random.default_rng(_SEED)
    for _ in range(_PASSES):
        order = random.permutation(len(images))
        for start in range(0, len(images) - _BATCH + 1, _BATCH):
            chosen = order[start : start + _BATCH]
            step(tf.constant(images[chosen]), tf.constant(wanted[chosen]))
    copy = cloned(exact)
    for name in fake.layers:
        copy.get_layer(name).set_weights(fake.model.get_layer(name).get_weights())
    return copy
