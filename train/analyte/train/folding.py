"""From the trained network to one of stock layers, at the least cost for the device.

Convolutions that spread their kernel become plain ones, and a normalization goes into the weights of the
convolution or dense layer that it directly follows: Keras then computes what the exported files compute,
without subtracting large numbers from each other.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from analyte.contract.arrays import Float64Array
from analyte.train.layers.fused_normalization import FusedBatchNormalization
from analyte.train.layers.normalization import batch_scale_and_offset
from analyte.train.layers.protocols import FoldingConvolution, FoldingNormalization

_OUTPUTS = ("value", "sigma", "features")
_STOCK_LINEAR = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Dense)


def fold(core: keras.Model) -> keras.Model:
    """Return the network under the graph contract (see `analyte.contract.run`), of stock layers only."""
    folded = to_stock(core)
    return keras.Model(folded.input, {name: folded.output[name] for name in _OUTPUTS}, name="analyte")


def to_stock(model: keras.Model) -> keras.Model:
    """Return a functional model that computes the same, at inference, with stock layers and fewer of them.

    Nested functional models are treated likewise and stay nested, under their names. Layers that take no part
    are copied with their weights. Raises: TypeError for a normalization of ours that does not directly follow
    a convolution, which only a recipe can cause.
    """
    norms = _foldable(model)
    gone = {norm.name for norm in norms.values()}

    def stock(layer: Any) -> Any:  # a Keras layer, and Keras has no types
        if _is_functional(layer):
            return to_stock(layer)
        config = layer.get_config()
        if isinstance(layer, FoldingConvolution):
            kernel, _ = layer.kernel_and_bias()
            return keras.layers.Conv2D(
                kernel.shape[-1],
                kernel.shape[:2],
                padding="same",
                name=config["name"],
                trainable=config["trainable"],
            )
        if layer.name in norms:
            config["use_bias"] = True
        kind = (
            keras.layers.BatchNormalization if isinstance(layer, FusedBatchNormalization) else layer.__class__
        )
        return kind.from_config(config)

    def call(layer: Any, *inputs: Any, **options: Any) -> Any:
        return inputs[0] if layer.name in gone else layer(*inputs, **options)

    stocked = keras.models.clone_model(model, clone_function=stock, call_function=call)
    for plain in stocked.layers:
        if not plain.weights:
            continue  # among them the input layers, which are cloned under other names
        trained = model.get_layer(plain.name)
        if isinstance(trained, FoldingConvolution) or plain.name in norms:
            plain.set_weights(_fused(trained, norms.get(plain.name)))
        elif not _is_functional(trained):
            plain.set_weights(trained.get_weights())
            if isinstance(plain, keras.layers.Normalization):
                plain.finalize_state()  # it computes with copies of its weights
    return stocked


def _is_functional(layer: Any) -> bool:
    return isinstance(layer, keras.Model) and not isinstance(layer, keras.Sequential)


def _foldable(model: keras.Model) -> dict[str, Any]:
    """Return the normalizations that can go into the weights of the layer before, by that layer's name."""
    found: dict[str, Any] = {}
    for norm in model.layers:
        ours = isinstance(norm, FoldingNormalization)
        if not ours and not isinstance(norm, keras.layers.BatchNormalization):
            continue
        before = _only_source(norm)
        if before is not None and _is_linear(before) and _over_channels(norm):
            found[before.name] = norm
        elif ours:
            raise TypeError(f"the normalization {norm!r} must directly follow a convolution of its own")
    return found


def _only_source(norm: Any) -> Any:
    """Return the layer whose output goes into this normalization and nowhere else; None otherwise."""
    if len(norm._inbound_nodes) != 1 or not isinstance(norm.input, keras.KerasTensor):
        return None
    before = norm.input._keras_history.operation
    alone = len(before._inbound_nodes) == 1 and len(before._outbound_nodes) == 1
    return before if alone else None


def _is_linear(layer: Any) -> bool:
    if isinstance(layer, FoldingConvolution):
        return True
    if not isinstance(layer, _STOCK_LINEAR):
        return False
    channels_last = getattr(layer, "data_format", "channels_last") == "channels_last"
    return channels_last and layer.activation is keras.activations.linear


def _over_channels(norm: Any) -> bool:
    """Whether a normalization has its factors along the last axis, where the weights before it have
    theirs."""
    axis = getattr(norm, "axis", -1)
    return bool(axis in (-1, len(norm.input.shape) - 1))


def _fused(layer: Any, norm: Any) -> list[Float64Array]:
    """Return kernel and bias with the normalization, if there is one, in float64.

    ``scale * (k * x + b) + offset`` is the layer with k scaled per output channel and b scaled and shifted.
    """
    kernel, bias = _kernel_and_bias(layer)
    if norm is None:
        return [kernel, bias]
    if isinstance(norm, FoldingNormalization):
        scale, offset = norm.scale_and_offset()
    else:
        scale, offset = batch_scale_and_offset(norm)
    # A depthwise kernel has its output channels on two axes, [h, w, C_in, multiplier].
    depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
    per_filter = scale.reshape(kernel.shape[-2:]) if depthwise else scale
    return [kernel * per_filter, bias * scale + offset]


def _kernel_and_bias(layer: Any) -> tuple[Float64Array, Float64Array]:
    if isinstance(layer, FoldingConvolution):
        return layer.kernel_and_bias()
    # The kernel is the first weight of every stock layer in question, the bias the second where there is one.
    kernel, *rest = (weights.astype(np.float64) for weights in layer.get_weights())
    channels = int(layer.output.shape[-1])
    return kernel, rest[0] if rest else np.zeros(channels)
