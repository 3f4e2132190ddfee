"""Networks that are hard to quantize."""

from __future__ import annotations

import keras
import numpy as np


def unbalanced(model: keras.Model) -> keras.Model:
    """The same network with channels of very different size, as without normalization."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    convolutions = [layer for layer in copy.layers if isinstance(layer, keras.layers.Conv2D)]
    _, first, second = convolutions[:3]
    kernel, bias = first.get_weights()
    factors = np.where(np.arange(len(bias)) % 4 == 0, 30.0, 1.0).astype(np.float32)
    first.set_weights([kernel * factors, bias * factors])
    after, shift = second.get_weights()
    second.set_weights([after / factors[:, np.newaxis], shift])
    return copy
