"""From the trained network to one of stock layers, at the least cost for the device."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from analyte.contract.arrays import Float64Array
from analyte.train.layers import OrbitConv2D


def fold(core: keras.Model) -> keras.Model:
    """Return the network under the graph contract (see `analyte.contract.run`), of stock layers only.

    Orbit-shared kernels are spread, and a batch normalization that follows one goes into its weights: Keras
    then computes what the exported files compute, without subtracting large numbers from each other.
    """
    normalized = {
        layer.input._keras_history.operation.name: layer
        for layer in core.layers
        if isinstance(layer, keras.layers.BatchNormalization)
        and isinstance(layer.input._keras_history.operation, OrbitConv2D)
    }
    folded_away = {layer.name for layer in normalized.values()}

    def stock(layer: keras.layers.Layer) -> keras.layers.Layer:
        if isinstance(layer, OrbitConv2D):
            return keras.layers.Conv2D(layer.filters, layer.kernel_size, padding="same", name=layer.name)
        return layer.__class__.from_config(layer.get_config())

    def call(layer: keras.layers.Layer, *inputs: Any, **options: Any) -> Any:
        return inputs[0] if layer.name in folded_away else layer(*inputs, **options)

    folded = keras.models.clone_model(core, clone_function=stock, call_function=call)
    for plain in folded.layers:
        trained = core.get_layer(plain.name)
        if isinstance(trained, OrbitConv2D):
            plain.set_weights(_fused(trained, normalized.get(trained.name)))
        else:
            plain.set_weights(trained.get_weights())
    outputs = {name: folded.output[name] for name in ("value", "sigma", "features")}
    return keras.Model(folded.input, outputs, name="analyte")


def _fused(layer: OrbitConv2D, norm: keras.layers.BatchNormalization | None) -> list[Float64Array]:
    """Return kernel and bias of the convolution with its normalization, if it has one, in float64.

    gamma * (k * x - mean) / sqrt(variance + epsilon) + beta is a convolution with k scaled per filter.
    """
    kernel = keras.ops.convert_to_numpy(layer.spread()).astype(np.float64)
    if norm is None:
        return [kernel, np.zeros(layer.filters)]
    gamma, beta, mean, variance = (weights.astype(np.float64) for weights in norm.get_weights())
    scale = gamma / np.sqrt(variance + norm.epsilon)
    return [kernel * scale, beta - mean * scale]
