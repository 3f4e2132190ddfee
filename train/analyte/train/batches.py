"""Labelled pictures, and the stream of batches that a network is fitted to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from analyte.contract.arrays import Float32Array, Float64Array, UInt8Array
from analyte.contract.run import network_input
from analyte.train.augmentation import Augmentation, augment


@dataclass(frozen=True, slots=True)
class LabelledPictures:
    """Pictures with what is known of them."""

    images: UInt8Array
    """uint8 ``[N, V, S, S, 3]``, RGB."""
    values: Float64Array
    """float64 ``[N]``, label's unit."""
    covariates: Float32Array
    """float32 ``[N, K]``, K = 0 where there are none; each column in its own unit."""

    def take(self, index: Any) -> LabelledPictures:
        """Return the samples that ``index`` (a slice, whole numbers or booleans) selects."""
        return LabelledPictures(self.images[index], self.values[index], self.covariates[index])


def training_batches(
    data: LabelledPictures,
    targets: Float32Array,
    augmentation: Augmentation | None,
    *,
    batch_size: int,
    seed: int,
    share: tuple[int, int] = (1, 0),
) -> Any:
    """Return an endless stream of (input, targets), shuffled, augmented, reproducible by the seed.

    Every sample comes once per pass. All batches are of one size, across the ends of passes: another size
    would make TensorFlow build the training step anew.

    ``share``: number of workers, which divides ``batch_size``, and which of them this is, from 0: it gets its
    part of every batch.
    """
    # Indices are shuffled, not pictures: a shuffle buffer of pictures would hold all of them twice.
    indices = tf.data.Dataset.range(len(data.values))
    indices = indices.shuffle(len(data.values), seed=seed, reshuffle_each_iteration=True)
    indices = indices.repeat().shard(*share).batch(batch_size // share[0], drop_remainder=True)
    seeds = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).batch(2).shard(*share)
    images, covariates = tf.constant(data.images), tf.constant(data.covariates)
    wanted = tf.constant(np.asarray(targets, np.float32))

    def prepare(index: Any, seed: Any) -> tuple[Any, Any]:
        pictures = tf.gather(images, index)
        if augmentation is not None:
            pictures = augment(pictures, seed, augmentation)
        return network_input(pictures, tf.gather(covariates, index)), tf.gather(wanted, index)

    # One call prepares while the step runs on the other core.
    return tf.data.Dataset.zip((indices, seeds)).map(prepare, num_parallel_calls=1).prefetch(4)
