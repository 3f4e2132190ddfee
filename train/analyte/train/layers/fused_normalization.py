"""Batch normalization in one pass over the data: Keras' own, but for the time that a training step takes."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("analyte")
class FusedBatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization` of pictures ``[N, H, W, C]`` by TensorFlow's fused kernel.

    Keras 3 composes it of mean, variance and arithmetic, which on a CPU takes three to four times as long
    (docs/training-speed.md). Weights and results are the same, but that the moving variance is unbiased.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalize by the batch in training, by the moving statistics otherwise."""
        if not training or not self.trainable:
            return super().call(inputs, training=False, mask=mask)
        if self.synchronized:  # over workers: the kernel knows of its own pictures only
            return super().call(inputs, training=True, mask=mask)
        normalized, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=self.gamma,
            offset=self.beta,
            mean=[],
            variance=[],
            epsilon=self.epsilon,
            is_training=True,
        )
        for moving, current in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + current * (1.0 - self.momentum))
        return normalized
