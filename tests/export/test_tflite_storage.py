"""Weights in fewer bits: what matters stays exact."""

from __future__ import annotations

import keras
import numpy as np

from analyte.export.keras_to_tflite import keras_to_tflite
from analyte.export.tflite_graph import TfliteGraph
from analyte.export.tflite_storage import store_half, store_small
from analyte.runtime.engines.registry import open_engine

_SIZE = 16


def windowed_network() -> keras.Model:
    """A network that looks through a disc, with one convolution behind another."""
    keras.utils.set_random_seed(0)
    along = np.linspace(-1.0, 1.0, _SIZE)
    disc = np.clip(4.0 * (0.8 - np.hypot(along[:, np.newaxis], along)), 0.0, 1.0)
    image = keras.Input((_SIZE, _SIZE, 3), dtype="uint8", name="image")
    x = keras.layers.Rescaling(1 / 255.0)(image)
    x = keras.layers.Rescaling(disc[:, :, np.newaxis].tolist())(x)
    x = keras.layers.Conv2D(8, 3, activation="relu")(x)
    x = keras.layers.Conv2D(8, 3, activation="relu")(x)
    features = keras.layers.Identity(name="features")(keras.layers.GlobalAveragePooling2D()(x))
    value = keras.layers.Dense(1)(features)[:, 0]
    return keras.Model(image, {"value": value, "sigma": value * 0.0 + 1.0, "features": features})


def stored(graph: TfliteGraph, shape: tuple[int, ...], dtype: type) -> list[np.ndarray]:
    """Return the constants of a shape and type."""
    tensors = {int(tensor) for operator in graph.operators for tensor in operator.inputs if tensor >= 0}
    found = [graph.constant(tensor) for tensor in sorted(tensors)]
    return [array for array in found if array is not None and array.shape == shape and array.dtype == dtype]


def test_a_window_takes_eight_bits_and_keeps_its_ends() -> None:
    exact = keras_to_tflite(windowed_network())
    graph = TfliteGraph(exact)
    store_small(graph)
    (window,) = stored(graph, (_SIZE, _SIZE, 1), np.int8)
    assert (window.min(), window.max()) == (0, 127)
    pictures = np.random.default_rng(0).integers(0, 256, (4, 1, _SIZE, _SIZE, 3), np.uint8)
    said, wanted = (open_engine(data, "litert", "cpu").run(pictures) for data in (graph.pack(), exact))
    np.testing.assert_allclose(said.features, wanted.features, rtol=5e-3, atol=1e-4)


def test_half_precision_leaves_the_first_convolution_as_it_is() -> None:
    graph = TfliteGraph(keras_to_tflite(windowed_network()))
    store_half(graph)
    assert len(stored(graph, (8, 3, 3, 3), np.float32)) == 1
    assert len(stored(graph, (8, 3, 3, 8), np.float16)) == 1


def test_equal_constants_are_one() -> None:
    graph = TfliteGraph(keras_to_tflite(windowed_network()))
    extra = [graph.add_constant(np.arange(200, dtype=np.int32)) for _ in range(2)]
    operator = graph.operators[0]
    graph.operators = [
        graph.operator("ADD", extra, [graph.add_tensor_like(extra[0], "int32")]),
        operator,
        *graph.operators[1:],
    ]
    packed = TfliteGraph(graph.pack())
    assert len(stored(packed, (200,), np.int32)) == 1
