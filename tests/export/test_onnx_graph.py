"""ONNX weights in fewer bits: what matters stays exact."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from analyte.export.onnx_graph import constants, store_small
from analyte.runtime.engines.registry import open_engine

_SIZE = 16


def windowed_model() -> onnx.ModelProto:
    """A graph that looks through a disc, and whose features are a dense layer of the mean colour."""
    along = np.linspace(-1.0, 1.0, _SIZE)
    disc = np.clip(4.0 * (0.8 - np.hypot(along[:, np.newaxis], along)), 0.0, 1.0).astype(np.float32)
    rng = np.random.default_rng(0)
    held = {
        "window": disc[:, :, np.newaxis],
        "signed": (disc - 0.5)[:, :, np.newaxis],
        "axes": np.array([1, 2], np.int64),
        "dense": rng.normal(size=(3, 64)).astype(np.float32),
        "head": rng.normal(size=64).astype(np.float32),
        "zero": np.array(0.0, np.float32),
        "one": np.array(1.0, np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["x"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["x", "window"], ["seen"]),
        helper.make_node("Mul", ["seen", "signed"], ["weighed"]),
        helper.make_node("ReduceMean", ["weighed", "axes"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "dense"], ["features"]),
        helper.make_node("MatMul", ["features", "head"], ["value"]),
        helper.make_node("Mul", ["value", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "one"], ["sigma"]),
    ]
    outputs = [("value", ["N"]), ("sigma", ["N"]), ("features", ["N", 64])]
    graph = helper.make_graph(
        nodes,
        "windowed",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", _SIZE, _SIZE, 3])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs],
        [numpy_helper.from_array(array, name) for name, array in held.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def test_windows_and_dense_layers_take_eight_bits() -> None:
    model = windowed_model()
    exact = model.SerializeToString()
    store_small(model.graph)
    onnx.checker.check_model(model, full_check=True)
    by_shape = {array.shape: array for array in constants(model.graph).values() if array.dtype == np.int8}
    window = by_shape[_SIZE, _SIZE, 1]
    assert (window.min(), window.max()) == (0, 127)
    assert set(by_shape) == {(_SIZE, _SIZE, 1), (3, 64)}
    # What goes below zero is no window.
    (half,) = (
        array for array in constants(model.graph).values() if array.dtype == np.float16 and array.ndim == 3
    )
    assert half.min() < 0
    pictures = np.random.default_rng(0).integers(0, 256, (4, 1, _SIZE, _SIZE, 3), np.uint8)
    said, wanted = (
        open_engine(data, "onnx", "cpu").run(pictures).features for data in (model.SerializeToString(), exact)
    )
    assert float(np.abs(said - wanted).max()) < 0.01 * float(wanted.std())
