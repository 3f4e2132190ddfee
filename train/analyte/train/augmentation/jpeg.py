"""What JPEG compression leaves of a picture, at the size that the network takes."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from analyte.train.augmentation.settings import Augmentation

_BEST = 95


def draw_quality(seed: Any, samples: Any, settings: Augmentation) -> Any:
    """Draw the quality of ``samples`` samples' compression, float32 ``[N]``, 1 to 95; 0 where there is none.

    ``seed``: int64 ``[2]``.
    """
    random = tf.random.stateless_uniform([samples, 2], seed)
    quality = tf.round(settings.jpeg_quality + (_BEST - settings.jpeg_quality) * random[:, 1])
    return tf.where(random[:, 0] < settings.jpeg_share, quality, 0.0)


def jpeg(pictures: Any, quality: Any) -> Any:
    """Compress and restore ``[M, S, S, 3]``, uint8, at whole qualities ``[M]``, 1 to 100 on libjpeg's scale.

    Picture by picture and yet faster than the same arithmetic on whole batches, which is mostly moving
    colour planes about.
    """
    return tf.map_fn(
        lambda one: tf.image.adjust_jpeg_quality(*one),
        (pictures, tf.cast(quality, tf.int32)),
        fn_output_signature=tf.TensorSpec(pictures.shape[1:], tf.uint8),
    )
