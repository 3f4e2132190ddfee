"""Fused batch normalization is Keras' own, faster."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from analyte.train.layers.fused_normalization import FusedBatchNormalization


def pictures(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(2.0, 3.0, (8, 6, 6, 4)).astype(np.float32)


def test_same_values_gradients_and_statistics() -> None:
    plain, fused = keras.layers.BatchNormalization(momentum=0.9), FusedBatchNormalization(momentum=0.9)
    outs, gradients = [], []
    for layer in (plain, fused):
        layer.build((None, 6, 6, 4))
        layer.set_weights([np.linspace(0.5, 2.0, 4), np.linspace(-1.0, 1.0, 4), np.zeros(4), np.ones(4)])
        given = tf.constant(pictures())
        with tf.GradientTape() as tape:
            tape.watch(given)
            out = layer(given, training=True)
            loss = tf.reduce_sum(out**3)
        outs.append(out)
        gradients.append(tape.gradient(loss, [given, *layer.trainable_variables]))
    np.testing.assert_allclose(outs[0], outs[1], atol=1e-5)
    for one, other in zip(*gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)
    # Of 288 numbers per channel: the unbiased variance is larger by 288 / 287.
    for one, other in zip(plain.get_weights(), fused.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=4e-3, atol=1e-6)
    np.testing.assert_array_equal(plain(pictures(1)).shape, fused(pictures(1)).shape)
    inference = [layer(pictures(1), training=False) for layer in (plain, fused)]
    np.testing.assert_allclose(inference[0], inference[1], rtol=4e-3, atol=1e-3)


def test_frozen_uses_and_keeps_its_statistics() -> None:
    layer = FusedBatchNormalization()
    layer.build((None, 6, 6, 4))
    layer.trainable = False
    before = [weight.copy() for weight in layer.get_weights()]
    out = layer(pictures(), training=True)
    np.testing.assert_allclose(out, pictures() / np.sqrt(1.0 + layer.epsilon), rtol=1e-5, atol=1e-5)
    for one, other in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
