"""Taking a TFLite file apart and putting it together changes nothing that it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analyte.contract.bundle import open_bundle
from analyte.contract.run import load_samples
from analyte.export.tflite_graph import TfliteGraph, layer_of
from analyte.runtime.engines.registry import open_engine


@pytest.mark.parametrize("name", ["tflite", "tflite-int8", "tflite-float16"])
def test_round_trip(one_view_bundle: Path, one_view_run: Path, name: str) -> None:
    bundle = open_bundle(one_view_bundle)
    data = bundle.read(bundle.artifact(name))
    images = load_samples(one_view_run).val_images
    packed = TfliteGraph(data).pack()
    assert len(packed) <= len(data)
    before, after = (open_engine(model, "litert").run(images) for model in (data, packed))
    np.testing.assert_array_equal(before.value, after.value)
    np.testing.assert_array_equal(before.features, after.features)


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("model_1/conv_1/convolution", "conv"),
        ("model_1/conv_1_2/convolution;model_1/re_lu/Relu", "conv_1"),
        ("PartitionedCall/model_3/conv_2_1/convolution/ReadVariableOp:0", "conv_2"),
        ("arith.constant4", None),
        ("model_1/dense/MatMul", None),
        ("", None),
    ],
)
def test_layer_of(name: str, layer: str | None) -> None:
    assert layer_of(name, ("conv", "conv_1", "conv_2")) == layer
