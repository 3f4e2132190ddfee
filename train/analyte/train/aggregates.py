"""How the features of several views become those of one sample.

All but the montage act behind the layer ``features``, in the float head: the trunk and its quantization are
the same for each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import keras

MONTAGE = "montage"
"""The views as tiles of one picture, as tutorials do: acts before the trunk instead."""
_UNITS = 32


def _concat(features: Any) -> Any:
    return keras.ops.reshape(features, (-1, features.shape[1] * features.shape[2]))


def _mean(features: Any) -> Any:
    return keras.ops.mean(features, axis=1)


def _max(features: Any) -> Any:
    return keras.ops.max(features, axis=1)


def _lstm(features: Any) -> Any:
    # Unrolled: as many views as declared, and plain operators in the exported graphs.
    return keras.layers.LSTM(_UNITS, unroll=True, name="aggregate_lstm")(features)


def _attention(features: Any) -> Any:
    """Mean of the views by learned weights (attention pooling: Ilse, Tomczak, Welling, ICML 2018)."""
    hidden = keras.layers.Dense(_UNITS, activation="tanh", name="aggregate_hidden")(features)
    score = keras.layers.Dense(1, name="aggregate_score")(hidden)
    return keras.ops.sum(keras.ops.multiply(keras.layers.Softmax(axis=1)(score), features), axis=1)


AGGREGATES: Mapping[str, Callable[[Any], Any] | None] = {
    "concat": _concat,
    "mean": _mean,
    "max": _max,
    "lstm": _lstm,
    "attention": _attention,
    MONTAGE: None,
}
"""From features ``[N, V, F]`` to ``[N, G]``, by name."""


def aggregate(name: str, features: Any, views: int) -> Any:
    """Bring features ``[N, V * F]`` (``[N, F]`` of a montage) to those of the sample, ``[N, G]``."""
    function = AGGREGATES[name]
    if function is None or views == 1:
        return features
    return function(keras.ops.reshape(features, (-1, views, features.shape[-1] // views)))


def montage(pictures: Any) -> Any:
    """Lay pictures ``[N, V, S, S, C]`` out as tiles ``[N, rows * S, columns * S, C]``, row by row.

    The grid is as square as V allows; tiles that are left over are zero.
    """
    views, size, channels = pictures.shape[1], pictures.shape[2], pictures.shape[4]
    columns = math.ceil(math.sqrt(views))
    rows = math.ceil(views / columns)
    left_over = rows * columns - views
    if left_over:
        pictures = keras.ops.pad(pictures, [[0, 0], [0, left_over], [0, 0], [0, 0], [0, 0]])
    grid = keras.ops.reshape(pictures, (-1, rows, columns, size, size, channels))
    grid = keras.ops.transpose(grid, (0, 1, 3, 2, 4, 5))
    return keras.ops.reshape(grid, (-1, rows * size, columns * size, channels))
