"""Cross-layer equalization: channels of one tensor brought to like ranges, which the next layer undoes.

Nagel et al., 2019, Data-free quantization through weight equalization and bias correction, section 4.1:
since ReLU and pooling commute with positive factors, channel i of one convolution may be divided by s_i and
the next one's kernel multiplied by it. Here s_i follows how large each channel can get, for activations have
one scale for all channels, while weights have one for each filter.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from analyte.contract.arrays import Float32Array
from analyte.export.trained_model import cloned

_PASSES = (
    keras.layers.ReLU,
    keras.layers.AveragePooling2D,
    keras.layers.MaxPooling2D,
    keras.layers.Dropout,
)
"""Layers that positive factors pass through."""
_MOST = 8.0
"""Largest factor: beyond it the next layer's weights would lose what the activations win."""


def equalize(model: keras.Model) -> keras.Model:
    """Return a copy that says the same, with its convolutions equalized wherever one feeds only another."""
    copy = cloned(model)
    for first, second in _pairs(copy):
        kernel, bias = first.get_weights()
        after, *shift = second.get_weights()
        factors = _factors(kernel, bias)
        first.set_weights([kernel / factors, bias / factors])
        second.set_weights([after * factors[:, np.newaxis], *shift])
    return copy


def _factors(kernel: Float32Array, bias: Float32Array) -> Float32Array:
    """Return what to divide each filter by, ``[C]``: its largest sum of weights over the middle one's."""
    # How large a filter's result can get for inputs of one size: its range, without data.
    reach = np.maximum(kernel, 0.0).sum(axis=(0, 1, 2)) + np.maximum(bias, 0.0)
    reach = np.maximum(reach, 1e-6)
    factors: Float32Array = np.clip(reach / np.median(reach), 1.0 / _MOST, _MOST).astype(np.float32)
    return np.sqrt(factors)


def _pairs(model: keras.Model) -> list[tuple[Any, Any]]:
    """Return the convolutions that feed only one other, through layers that factors pass."""
    pairs: list[tuple[Any, Any]] = []
    for layer in model.layers:
        if type(layer) is not keras.layers.Conv2D or not layer.use_bias or layer.activation is not _LINEAR:
            continue
        if not _once(layer):
            continue
        follower = _only_taker(layer, model)
        rectified = False
        while _passes(follower):
            rectified = rectified or isinstance(follower, keras.layers.ReLU)
            follower = _only_taker(follower, model)
        if type(follower) is keras.layers.Conv2D and follower.groups == 1 and rectified and _once(follower):
            pairs.append((layer, follower))
    return pairs


_LINEAR = keras.activations.linear


def _passes(layer: Any) -> bool:
    """Whether positive factors pass: not through a ReLU that cuts elsewhere than at 0."""
    if isinstance(layer, keras.layers.ReLU):
        return bool(layer.max_value is None and layer.threshold == 0 and layer.negative_slope == 0)
    return isinstance(layer, _PASSES)


def _once(layer: Any) -> bool:
    """Whether a layer is used in one place only."""
    return len(layer._inbound_nodes) == 1


def _only_taker(layer: Any, model: keras.Model) -> Any:
    known = set(model.operations)
    takers = [node.operation for node in layer._outbound_nodes if node.operation in known]
    return takers[0] if len(takers) == 1 else None
