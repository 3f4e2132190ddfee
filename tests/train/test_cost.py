"""Multiply-accumulates, against calculations by hand."""

from __future__ import annotations

import keras
import pytest

from analyte.train.cost import count_macs, measure_latency
from analyte.train.layers.spread import OrbitConv2D

L = keras.layers


@pytest.mark.parametrize(
    ("layer", "shape", "macs"),
    [
        # Outputs times the weights that each of them depends on.
        (L.Conv2D(4, 3, padding="same"), (8, 6, 5), (8 * 6 * 4) * (3 * 3 * 5)),
        (L.Conv2D(4, (3, 1)), (8, 6, 5), (6 * 6 * 4) * (3 * 5)),
        (L.Conv2D(4, 3, strides=2, padding="same"), (9, 6, 5), (5 * 3 * 4) * (3 * 3 * 5)),
        # TensorFlow pads 7 to 9 and cuts the picture in nine for this one; the device does not.
        (L.Conv2D(4, 3, dilation_rate=3, padding="same"), (7, 7, 2), (7 * 7 * 4) * (3 * 3 * 2)),
        (L.DepthwiseConv2D(3, padding="same", depth_multiplier=2), (8, 6, 5), (8 * 6 * 10) * 9),
        (L.SeparableConv2D(7, 3, padding="same"), (8, 6, 5), (8 * 6 * 5) * 9 + (8 * 6 * 7) * 5),
        (OrbitConv2D(4), (8, 6, 5), (8 * 6 * 4) * (3 * 3 * 5)),
        (L.Dense(4), (11,), 4 * 11),
        (L.Dense(4), (3, 11), 3 * 4 * 11),
        # Per step four gates of three units from two inputs and three states, which are zero at first.
        (L.LSTM(3, unroll=True), (4, 2), (4 * 3) * (4 * 2 + 3 * 3)),
        (L.BatchNormalization(), (8, 6, 5), 0),
        (L.MaxPooling2D(2), (8, 6, 5), 0),
    ],
)
def test_one_layer(layer: keras.layers.Layer, shape: tuple[int, ...], macs: int) -> None:
    given = keras.Input(shape)
    assert count_macs(keras.Model(given, layer(given))) == macs


def two_view_network() -> keras.Model:
    """A nested trunk that both views go through, joined with a number beside them."""
    inner = keras.Input((8, 8, 3))
    trunk = keras.Model(inner, L.GlobalAveragePooling2D()(L.Conv2D(4, 3)(inner)), name="trunk")
    image = keras.Input((2, 8, 8, 3), dtype="uint8", name="image")
    beside = keras.Input((1,), name="beside")
    pictures = keras.ops.reshape(keras.ops.cast(image, "float32"), (-1, 8, 8, 3))
    features = keras.ops.reshape(trunk(pictures), (-1, 8))
    value = L.Dense(1)(keras.ops.concatenate([features, beside], axis=-1))
    return keras.Model({"image": image, "beside": beside}, {"value": value})


def test_every_view_counts() -> None:
    assert count_macs(two_view_network()) == 2 * (6 * 6 * 4) * (3 * 3 * 3) + 9


def test_what_cannot_be_counted_is_said() -> None:
    given = keras.Input((4, 2))
    with pytest.raises(ValueError, match="While"):
        count_macs(keras.Model(given, L.LSTM(3)(given)))


def test_latency_of_any_input() -> None:
    assert measure_latency(two_view_network(), runs=3) > 0
