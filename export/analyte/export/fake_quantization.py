"""A Keras model whose convolutions round as a device's integers do, for looking at and for training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from analyte.contract.arrays import UInt8Array
from analyte.contract.run import graph_input
from analyte.export.source import Source
from analyte.export.trained_model import IMAGE, inputs_of

_PICTURES = 128
_MAX_WEIGHT = 127.0
_STEPS = 255.0
_LEAST = 1e-9


@dataclass(frozen=True, slots=True)
class Fake:
    """A model that rounds, and the names of the layers that do, in order."""

    model: keras.Model
    layers: tuple[str, ...]


class RoundingConv2D(keras.layers.Conv2D):  # type: ignore[misc] # keras ships no types
    """A convolution with int8 weights per filter and an int8 picture, whose gradients ignore the rounding."""

    def __init__(self, *, low: float = 0.0, high: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        self.low, self.high = min(low, 0.0), max(high, low + _LEAST, 0.0)

    def call(self, inputs: Any) -> Any:
        """Convolve ``[N, H, W, C]``."""
        step = (self.high - self.low) / _STEPS
        zero = round(-self.low / step)
        whole = tf.clip_by_value(_rounded(inputs / step) + zero, 0.0, _STEPS)
        picture = (whole - zero) * step
        kernel = tf.convert_to_tensor(self.kernel)
        scale = tf.maximum(tf.reduce_max(tf.abs(kernel), axis=(0, 1, 2), keepdims=True) / _MAX_WEIGHT, _LEAST)
        weights = _rounded(kernel / scale) * scale
        result = tf.nn.conv2d(
            picture,
            weights,
            strides=self.strides,
            padding=self.padding.upper(),
            dilations=self.dilation_rate,
        )
        result = tf.nn.bias_add(result, self.bias) if self.use_bias else result
        return self.activation(result)


def quantized_like_a_device(model: keras.Model, source: Source) -> Fake:
    """Return a copy of ``model`` whose convolutions round, but for the first and those that stay in float."""
    convolutions = [
        layer
        for layer in model.layers
        if type(layer) is keras.layers.Conv2D and layer.groups == 1 and len(layer._inbound_nodes) == 1
    ]
    rounding = {layer.name for layer in convolutions[1:]} - source.keep_float
    images = source.calibration[:: max(1, len(source.calibration) // _PICTURES)]
    ranges = {name: _range_into(model, name, images) for name in sorted(rounding)}

    def clone(layer: Any) -> Any:
        if layer.name not in rounding:
            return layer.__class__.from_config(layer.get_config())
        low, high = ranges[layer.name]
        return RoundingConv2D(low=low, high=high, **layer.get_config())

    copy = keras.models.clone_model(model, clone_function=clone)
    copy.set_weights(model.get_weights())
    return Fake(copy, tuple(layer.name for layer in convolutions if layer.name in rounding))


def _range_into(model: keras.Model, layer: str, images: UInt8Array) -> tuple[float, float]:
    """Return the smallest and largest number that a layer gets."""
    probe = keras.Model(inputs_of(model)[IMAGE], model.get_layer(layer).input)
    seen = probe(graph_input(images))
    return float(keras.ops.min(seen)), float(keras.ops.max(seen))


def _rounded(x: Any) -> Any:
    return x + tf.stop_gradient(tf.round(x) - x)
