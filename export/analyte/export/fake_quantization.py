"""A Keras model whose convolutions round as a device's integers do, for looking at and for training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from analyte.contract.arrays import UInt8Array
from analyte.contract.run import graph_input
from analyte.export.integers import LEAST_STEP, MAX_WEIGHT
from analyte.export.source import Source
from analyte.export.trained_model import IMAGE, cloned, inputs_of

_PICTURES = 128
_STEPS = 255.0


@dataclass(frozen=True, slots=True)
class Fake:
    """A model that rounds, and the names of the layers that do, in order."""

    model: keras.Model
    layers: tuple[str, ...]


class _Rounding:
    """What both kinds of convolution share: an int8 picture, whose gradients ignore the rounding."""

    low: float
    high: float

    def rounded_picture(self, inputs: Any) -> Any:
        """Round what comes in, as int8 between the ends of its range."""
        step = (self.high - self.low) / _STEPS
        zero = round(-self.low / step)
        whole = tf.clip_by_value(_rounded(inputs / step) + zero, 0.0, _STEPS)
        return (whole - zero) * step


def _rounded_kernel(kernel: Any, axes: tuple[int, ...]) -> Any:
    """Round weights as int8, with one scale for each filter; ``axes``: those within a filter."""
    kernel = tf.convert_to_tensor(kernel)
    scale = tf.maximum(tf.reduce_max(tf.abs(kernel), axis=axes, keepdims=True) / MAX_WEIGHT, LEAST_STEP)
    return _rounded(kernel / scale) * scale


def _ends(low: float, high: float) -> tuple[float, float]:
    """Return the ends of a range, which always holds 0 and is never empty."""
    return min(low, 0.0), max(high, low + LEAST_STEP, 0.0)


class RoundingConv2D(_Rounding, keras.layers.Conv2D):  # type: ignore[misc] # keras ships no types
    """A convolution that rounds as a device's."""

    def __init__(self, *, low: float = 0.0, high: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        self.low, self.high = _ends(low, high)

    def call(self, inputs: Any) -> Any:
        """Convolve ``[N, H, W, C]``."""
        result = tf.nn.conv2d(
            self.rounded_picture(inputs),
            _rounded_kernel(self.kernel, (0, 1, 2)),
            strides=self.strides,
            padding=self.padding.upper(),
            dilations=self.dilation_rate,
        )
        return self.activation(tf.nn.bias_add(result, self.bias) if self.use_bias else result)


class RoundingDepthwiseConv2D(_Rounding, keras.layers.DepthwiseConv2D):  # type: ignore[misc] # likewise
    """A depthwise convolution that rounds as a device's."""

    def __init__(self, *, low: float = 0.0, high: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        self.low, self.high = _ends(low, high)

    def call(self, inputs: Any) -> Any:
        """Convolve ``[N, H, W, C]``."""
        result = tf.nn.depthwise_conv2d(
            self.rounded_picture(inputs),
            _rounded_kernel(self.kernel, (0, 1)),
            strides=(1, *self.strides, 1),
            padding=self.padding.upper(),
            dilations=self.dilation_rate,
        )
        return self.activation(tf.nn.bias_add(result, self.bias) if self.use_bias else result)


_KINDS: Mapping[type, Any] = {
    keras.layers.Conv2D: RoundingConv2D,
    keras.layers.DepthwiseConv2D: RoundingDepthwiseConv2D,
}
"""What stands for each kind of convolution."""


def quantized_like_a_device(model: keras.Model, source: Source) -> Fake:
    """Return a copy of ``model`` whose convolutions round, but for the first and those that stay in float."""
    convolutions = [
        layer
        for layer in model.layers
        if type(layer) in _KINDS and getattr(layer, "groups", 1) == 1 and len(layer._inbound_nodes) == 1
    ]
    rounding = {layer.name for layer in convolutions[1:]} - source.keep_float
    images = source.calibration[:: max(1, len(source.calibration) // _PICTURES)]
    ranges = _ranges_into(model, sorted(rounding), images)

    def clone(layer: Any) -> Any:
        if layer.name not in rounding:
            return layer.__class__.from_config(layer.get_config())
        low, high = ranges[layer.name]
        return _KINDS[type(layer)](low=low, high=high, **layer.get_config())

    copy = cloned(model, clone_function=clone)
    return Fake(copy, tuple(layer.name for layer in convolutions if layer.name in rounding))


def _ranges_into(
    model: keras.Model, layers: Sequence[str], images: UInt8Array
) -> dict[str, tuple[float, float]]:
    """Return the smallest and largest number that each layer gets."""
    probe = keras.Model(inputs_of(model)[IMAGE], {name: model.get_layer(name).input for name in layers})
    return {
        name: (float(keras.ops.min(seen)), float(keras.ops.max(seen)))
        for name, seen in probe(graph_input(images)).items()
    }


def _rounded(x: Any) -> Any:
    return x + tf.stop_gradient(tf.round(x) - x)
