"""Exported TFLite graphs ask for no number that is known, and say the same for any number of samples."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from analyte.contract.run import load_samples
from analyte.export.frozen_graph import freeze, saved_model
from analyte.export.keras_to_tflite import keras_to_tflite
from analyte.export.tflite_graph import TfliteGraph, layer_of
from analyte.export.tflite_operators import operators
from analyte.export.trained_model import load_model
from analyte.runtime.engines.registry import open_engine

_ASKING = {"SHAPE", "PACK", "GATHER", "REDUCE_PROD"}


@pytest.fixture(scope="module")
def model(one_view_run: Path) -> keras.Model:
    return load_model(one_view_run / "model.keras")


@pytest.fixture(scope="module")
def as_converted(model: keras.Model) -> bytes:
    with saved_model(freeze(model)) as folder:
        data: bytes = tf.lite.TFLiteConverter.from_saved_model(str(folder)).convert()
    return data


def test_asks_for_nothing(model: keras.Model, as_converted: bytes) -> None:
    # Or nothing is tested.
    assert set(operators(as_converted)) >= _ASKING
    assert _ASKING.isdisjoint(operators(keras_to_tflite(model)))


@pytest.mark.parametrize("samples", [1, 2, 7])
def test_says_the_same(model: keras.Model, as_converted: bytes, one_view_run: Path, samples: int) -> None:
    pictures = load_samples(one_view_run).val_images[:samples]
    before, after = (
        open_engine(data, "litert", "cpu").run(pictures) for data in (as_converted, keras_to_tflite(model))
    )
    np.testing.assert_array_equal(after.value, before.value)
    np.testing.assert_array_equal(after.features, before.features)


def test_tensors_keep_the_names_of_their_layers(model: keras.Model) -> None:
    graph = TfliteGraph(keras_to_tflite(model))
    layers = [layer.name for layer in model.layers]
    convolutions = [operator for operator in graph.operators if graph.kind(operator) == "CONV_2D"]
    assert all(layer_of(graph.name(int(operator.inputs[1])), layers) for operator in convolutions)
