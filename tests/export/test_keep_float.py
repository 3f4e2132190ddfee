"""A layer that is to stay in float does, and no other one with it."""

from __future__ import annotations

import keras
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from analyte.contract.arrays import UInt8Array
from analyte.export.formats import FORMATS
from analyte.export.source import Source
from analyte.export.tflite_graph import TfliteGraph

FILTERS = (4, 12, 16, 20)
"""Of the convolutions, in order, which tells them apart in files without names; the first stays in float."""


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(1)
    image = keras.Input((8, 8, 3), dtype="uint8", name="image")
    x = keras.layers.Rescaling(1 / 255)(keras.ops.cast(image, "float32"))
    for filters in FILTERS:
        x = keras.layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"layer{filters}")(x)
    features = keras.layers.Identity(name="features")(keras.layers.GlobalAveragePooling2D()(x))
    value, sigma = (keras.layers.Dense(1)(features)[:, 0] for _ in range(2))
    return keras.Model(image, {"value": value, "sigma": keras.ops.abs(sigma) + 1.0, "features": features})


@pytest.fixture(scope="module")
def pictures() -> UInt8Array:
    return np.random.default_rng(0).integers(0, 256, (32, 1, 8, 8, 3), np.uint8)


def in_integers(data: bytes, engine: str) -> set[int]:
    """Return the numbers of filters of the convolutions whose weights and pictures are integers."""
    found: set[int] = set()
    if engine == "litert":
        graph = TfliteGraph(data)
        for operator in graph.operators:
            if graph.kind(operator) == "CONV_2D" and not any(map(graph.is_float, operator.inputs[:2])):
                found.add(graph.shape(int(operator.inputs[1]))[0])
        return found
    nodes = onnx.load_from_string(data).graph
    makers = {output: node for node in nodes.node for output in node.output}
    sizes = {entry.name: numpy_helper.to_array(entry).shape for entry in nodes.initializer}
    for node in nodes.node:
        made_by = [makers[name] for name in node.input[:2] if name in makers]
        if node.op_type == "Conv" and [maker.op_type for maker in made_by] == ["DequantizeLinear"] * 2:
            found.add(sizes[made_by[1].input[0]][0])
    return found


@pytest.mark.parametrize("name", ["tflite-int8", "tflite-int16x8", "onnx-int8"])
@pytest.mark.parametrize("kept", [(16,), (12, 20)], ids=str)
def test_that_layer_alone(name: str, kept: tuple[int, ...], model: keras.Model, pictures: UInt8Array) -> None:
    source = Source(model, pictures, keep_float=frozenset(f"layer{filters}" for filters in kept))
    entry = FORMATS[name]
    assert in_integers(entry.convert(source), entry.engine) == set(FILTERS[1:]) - set(kept)


def test_no_file_is_measured_twice(
    model: keras.Model, pictures: UInt8Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ranges take a run of every calibration picture: formats of the same source share them."""
    from analyte.export import source as module

    measured: list[bytes] = []
    measure = module.measure_ranges
    monkeypatch.setattr(
        module, "measure_ranges", lambda data, *rest: (measured.append(data), measure(data, *rest))[1]
    )
    source = Source(model, pictures)
    for name in ("tflite-int8", "tflite-int16x8"):
        FORMATS[name].convert(source)
    # Of the source, and of what each format's refit makes of it.
    assert len(measured) == 3
    assert measured.count(source.tflite) == 1


@pytest.mark.parametrize("kept", [True, False])
def test_depthwise_convolutions_are_known_by_name(kept: bool, pictures: UInt8Array) -> None:
    """The converter to ONNX turns their weights, which lose their name by it."""
    keras.utils.set_random_seed(2)
    image = keras.Input((8, 8, 3), dtype="uint8", name="image")
    x = keras.layers.Conv2D(6, 3, activation="relu")(keras.layers.Rescaling(1 / 255)(image))
    x = keras.layers.DepthwiseConv2D(3, padding="same", activation="relu", name="deep")(x)
    features = keras.layers.Identity(name="features")(keras.layers.GlobalAveragePooling2D()(x))
    value = keras.layers.Dense(1)(features)[:, 0]
    model = keras.Model(image, {"value": value, "sigma": value * 0.0 + 1.0, "features": features})
    source = Source(model, pictures, keep_float=frozenset({"deep"} if kept else ()))
    assert in_integers(FORMATS["onnx-int8"].convert(source), "onnx") == (set() if kept else {6})
    kinds = TfliteGraph(FORMATS["tflite-int8"].convert(source))
    assert ("QUANTIZE" in [kinds.kind(operator) for operator in kinds.operators]) is not kept
