"""Batch normalization into the weights of the layer before it, in float64.

Every converter does this in float32. Done here, Keras computes what the files compute, and what corrects the
integers of a convolution finds its activation right behind it.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from analyte.contract.arrays import Float64Array
from analyte.export.trained_model import finalize_normalizations

_LINEAR = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Dense)


def fold_normalizations(model: keras.Model) -> keras.Model:
    """Return a copy of a flat model without the normalizations that directly follow a linear layer.

    ``scale * (kernel * x + bias) + offset`` is the layer with its kernel scaled per output channel.
    """
    norms = {before.name: norm for norm in model.layers if (before := _taken_up_by(norm)) is not None}
    gone = {norm.name for norm in norms.values()}

    def copy(layer: Any) -> Any:
        config = layer.get_config()
        if layer.name in norms:
            config["use_bias"] = True
        return type(layer).from_config(config)

    def call(layer: Any, *inputs: Any, **options: Any) -> Any:
        return inputs[0] if layer.name in gone else layer(*inputs, **options)

    folded = keras.models.clone_model(model, clone_function=copy, call_function=call)
    for layer in folded.layers:
        if not layer.weights:
            continue
        before = model.get_layer(layer.name)
        layer.set_weights(_fused(before, norms[layer.name]) if layer.name in norms else before.get_weights())
    finalize_normalizations(folded)
    return folded


def _taken_up_by(norm: Any) -> Any:
    """Return the linear layer whose output goes into a normalization and nowhere else; None without one."""
    if not isinstance(norm, keras.layers.BatchNormalization) or len(norm._inbound_nodes) != 1:
        return None
    before = norm.input._keras_history.operation
    linear = isinstance(before, _LINEAR) and before.activation is keras.activations.linear
    last = getattr(before, "data_format", "channels_last") == "channels_last"
    if not linear or not last or norm.axis not in (-1, len(norm.input.shape) - 1):
        return None
    return before if len(before._inbound_nodes) == len(before._outbound_nodes) == 1 else None


def _fused(before: Any, norm: Any) -> list[Float64Array]:
    """Return kernel and bias of a linear layer with a normalization in them."""
    kernel, *rest = (weights.astype(np.float64) for weights in before.get_weights())
    bias = rest[0] if rest else 0.0
    scale, offset = _scale_and_offset(norm)
    # A depthwise kernel has its output channels on two axes, [h, w, C_in, multiplier].
    depthwise = isinstance(before, keras.layers.DepthwiseConv2D)
    return [kernel * (scale.reshape(kernel.shape[-2:]) if depthwise else scale), bias * scale + offset]


def _scale_and_offset(norm: Any) -> tuple[Float64Array, Float64Array]:
    """Return what a normalization multiplies by and adds at inference, ``[C]``."""
    mean, variance = (np.asarray(part, np.float64) for part in (norm.moving_mean, norm.moving_variance))
    scale = 1.0 / np.sqrt(variance + norm.epsilon)
    if norm.scale:
        scale = scale * np.asarray(norm.gamma, np.float64)
    offset = -mean * scale
    return scale, offset + np.asarray(norm.beta, np.float64) if norm.center else offset
