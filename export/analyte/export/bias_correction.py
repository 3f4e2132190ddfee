"""Bias correction: what quantization adds to a channel on average is taken off its bias.

Nagel et al., 2019, Data-free quantization through weight equalization and bias correction, section 4.2, with
means that are measured on calibration pictures, layer by layer from the picture on.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras

from analyte.contract.arrays import Float32Array, UInt8Array
from analyte.contract.run import graph_input
from analyte.export.fake_quantization import quantized_like_a_device
from analyte.export.source import Source
from analyte.export.trained_model import IMAGE, cloned, inputs_of

_PICTURES = 128
"""Calibration pictures that the means are taken over."""


def correct_bias(source: Source) -> keras.Model:
    """Return a copy of the model whose quantized convolutions give the right value on average."""
    exact = source.model
    copy = cloned(exact)
    images = source.calibration[:: max(1, len(source.calibration) // _PICTURES)]
    rough = quantized_like_a_device(copy, source)
    wanted = _means(exact, rough.layers, images)
    for name in rough.layers:
        # One after another: what is taken off here, the layers behind it get no more.
        found = _means(rough.model, [name], images)[name]
        for model in (copy, rough.model):
            layer = model.get_layer(name)
            kernel, *bias = layer.get_weights()
            if bias:
                layer.set_weights([kernel, bias[0] + (wanted[name] - found)])
    return copy


def _means(model: keras.Model, layers: Sequence[str], images: UInt8Array) -> dict[str, Float32Array]:
    """Return the mean of each convolution's result by channel, ``[C]``."""
    probe = keras.Model(inputs_of(model)[IMAGE], {name: model.get_layer(name).output for name in layers})
    return {
        name: keras.ops.convert_to_numpy(result).mean(axis=(0, 1, 2))
        for name, result in probe(graph_input(images)).items()
    }
