"""The model files themselves: the graph contract, stock operators, integers where they are promised."""

from __future__ import annotations

from collections import Counter
from typing import Any

import keras
import numpy as np
import onnx
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from onnx import TensorProto, numpy_helper

from analyte.contract.bundle import Bundle, open_bundle
from analyte.export.formats import FORMATS
from analyte.export.trained_model import load_model
from conftest import BUNDLED, DEFAULT_RECIPE, Make

ONNX = [name for name in BUNDLED if FORMATS[name].engine == "onnx"]
TFLITE = [name for name in BUNDLED if FORMATS[name].engine == "litert"]
both_views = pytest.mark.parametrize("views", [1, 2])


@pytest.fixture
def bundle(views: int, bundle_of: Make) -> Bundle:
    return open_bundle(bundle_of(DEFAULT_RECIPE, views))


def model_of(bundle: Bundle) -> keras.Model:
    return load_model(bundle.path / bundle.manifest.model.file)


def convolutions(bundle: Bundle) -> list[keras.layers.Conv2D]:
    return [layer for layer in model_of(bundle).layers if isinstance(layer, keras.layers.Conv2D)]


def picture_shape(bundle: Bundle) -> list[int]:
    size, views = bundle.manifest.preprocessing.size, len(bundle.manifest.views)
    return [size, size, 3] if views == 1 else [views, size, size, 3]


def features_of(bundle: Bundle) -> int:
    return int(model_of(bundle).output["features"].shape[-1])


class TestOnnx:
    """ONNX files, read by onnx."""

    def graph(self, bundle: Bundle, name: str) -> Any:
        model = onnx.load_from_string(bundle.read(bundle.artifact(name)))
        onnx.checker.check_model(model, full_check=True)
        return model

    @both_views
    @pytest.mark.parametrize("name", ONNX)
    def test_contract(self, bundle: Bundle, name: str) -> None:
        graph = self.graph(bundle, name).graph
        (image,) = graph.input
        dims = image.type.tensor_type.shape.dim
        assert (image.name, image.type.tensor_type.elem_type) == ("image", TensorProto.UINT8)
        assert not dims[0].HasField("dim_value"), "the batch size is baked in"
        assert [dim.dim_value for dim in dims[1:]] == picture_shape(bundle)
        found = {
            tensor.name: (
                tensor.type.tensor_type.elem_type,
                [dim.dim_value for dim in tensor.type.tensor_type.shape.dim][1:],
            )
            for tensor in graph.output
        }
        assert found == {
            "value": (TensorProto.FLOAT, []),
            "sigma": (TensorProto.FLOAT, []),
            "features": (TensorProto.FLOAT, [features_of(bundle)]),
        }

    @both_views
    @pytest.mark.parametrize("name", ONNX)
    def test_versions_are_pinned_and_operators_stock(self, bundle: Bundle, name: str) -> None:
        model = self.graph(bundle, name)
        assert model.ir_version == 8
        versions = {entry.domain or "ai.onnx": entry.version for entry in model.opset_import}
        assert versions["ai.onnx"] == 17
        assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}

    @both_views
    def test_sharing_costs_nothing(self, bundle: Bundle) -> None:
        """Orbit-shared kernels are plain convolutions here, normalization folded into them."""
        counts = Counter(node.op_type for node in self.graph(bundle, "onnx").graph.node)
        assert counts["Conv"] == len(convolutions(bundle)) > 0
        assert counts["BatchNormalization"] == 0

    @both_views
    def test_int8_trunk_and_float_head(self, bundle: Bundle) -> None:
        graph = self.graph(bundle, "onnx-int8").graph
        made_by = {output: node for node in graph.node for output in node.output}
        constants = {constant.name: numpy_helper.to_array(constant) for constant in graph.initializer}

        def source(tensor: str) -> Any:
            node = made_by[tensor]
            return source(node.input[0]) if node.op_type in ("Transpose", "Reshape", "Identity") else node

        def stored(tensor: str) -> Any:
            """The constant that a tensor is unpacked from."""
            return constants[tensor] if tensor in constants else stored(made_by[tensor].input[0])

        first, *others = (node for node in graph.node if node.op_type == "Conv")
        # Pooling is a convolution of each channel by itself.
        trunk = [node for node in others if not any(a.name == "group" and a.i > 1 for a in node.attribute)]
        assert 1 + len(trunk) == len(convolutions(bundle)) > 1
        # The first takes the colours as they are: docs/decisions/0008.
        assert stored(first.input[1]).dtype == np.float16
        for node in others:
            picture, kernel = (source(name) for name in node.input[:2])
            assert picture.op_type == kernel.op_type == "DequantizeLinear"
            weights = constants[kernel.input[0]]
            assert weights.dtype == np.int8
            # One scale per filter.
            assert constants[kernel.input[1]].shape == (weights.shape[0],)
            assert constants[picture.input[2]].dtype == np.int8
        head = [node for node in graph.node if node.op_type in ("MatMul", "Gemm")]
        assert len(head) >= 3
        for node in head:
            # Computed in float; only the large weights are stored in less.
            weights = made_by.get(node.input[1])
            assert weights is None or weights.op_type in ("Mul", "Cast")
            assert stored(node.input[1]).dtype in (np.int8, np.float16, np.float32)

    @both_views
    def test_integers_begin_at_what_relu_cuts(self, bundle: Bundle) -> None:
        """The range of a rectified result holds no negative number: half of the steps would be idle."""
        graph = self.graph(bundle, "onnx-int8").graph
        constants = {constant.name: numpy_helper.to_array(constant) for constant in graph.initializer}
        taken = {name: node for node in graph.node for name in node.input}
        results = [
            taken[node.output[0]] for node in graph.node if node.op_type == "Conv" and node.output[0] in taken
        ]
        quantized = [node for node in results if node.op_type == "QuantizeLinear"]
        assert len(quantized) == len(convolutions(bundle)) - 1 + sum(
            1
            for node in graph.node
            if node.op_type == "Conv" and any(a.name == "group" and a.i > 1 for a in node.attribute)
        )
        assert {int(constants[node.input[2]]) for node in quantized} == {-128}


class TestTflite:
    """TFLite files, read by LiteRT without delegates, so that every operator shows."""

    def interpreter(self, bundle: Bundle, name: str) -> Any:
        interpreter = Interpreter(
            model_content=bundle.read(bundle.artifact(name)),
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        interpreter.allocate_tensors()
        return interpreter

    def inputs(self, interpreter: Any, op: str) -> list[list[Any]]:
        """Dtypes of the inputs of every operator of a kind; activations first, then weights and bias."""
        dtypes = {tensor["index"]: tensor["dtype"] for tensor in interpreter.get_tensor_details()}
        return [
            [dtypes[index] for index in entry["inputs"] if index >= 0]
            for entry in interpreter._get_ops_details()
            if entry["op_name"] == op
        ]

    @both_views
    @pytest.mark.parametrize("name", TFLITE)
    def test_contract(self, bundle: Bundle, name: str) -> None:
        runner = self.interpreter(bundle, name).get_signature_runner("serving_default")
        (image,) = runner.get_input_details().items()
        assert (image[0], image[1]["dtype"]) == ("image", np.uint8)
        assert image[1]["shape_signature"].tolist() == [-1, *picture_shape(bundle)]
        images = np.zeros([3, *picture_shape(bundle)], np.uint8)
        outputs = runner(image=images)
        assert {key: (array.dtype, array.shape) for key, array in outputs.items()} == {
            "value": (np.float32, (3,)),
            "sigma": (np.float32, (3,)),
            "features": (np.float32, (3, features_of(bundle))),
        }

    @both_views
    @pytest.mark.parametrize("name", TFLITE)
    def test_builtin_operators_only(self, bundle: Bundle, name: str) -> None:
        names = [entry["op_name"] for entry in self.interpreter(bundle, name)._get_ops_details()]
        assert not [op for op in names if op.upper().startswith(("FLEX", "CUSTOM"))]
        assert names.count("CONV_2D") == len(convolutions(bundle)) > 0

    @both_views
    def test_int8_trunk_and_float_head(self, bundle: Bundle) -> None:
        quantized = self.interpreter(bundle, "tflite-int8")
        first, *trunk = self.inputs(quantized, "CONV_2D")
        assert 1 + len(trunk) == len(convolutions(bundle)) > 1
        # The first takes the colours as they are: docs/decisions/0008.
        assert set(first) == {np.float32}
        assert {(pair[0], pair[1]) for pair in trunk} == {(np.int8, np.int8)}
        head = self.inputs(quantized, "FULLY_CONNECTED")
        assert len(head) >= 3
        assert {dtype for entry in head for dtype in entry} == {np.float32}
        exact = self.interpreter(bundle, "tflite")
        assert {dtype for entry in self.inputs(exact, "CONV_2D") for dtype in entry} == {np.float32}


@both_views
@pytest.mark.parametrize("family", ["onnx", "tflite"])
def test_int8_files_are_smaller(bundle: Bundle, family: str) -> None:
    """Weights shrink to a quarter; the graph's own description does not."""
    exact, quantized = (bundle.artifact(name).size_bytes for name in (family, f"{family}-int8"))
    assert quantized < 0.45 * exact
    for name in (family, f"{family}-int8"):
        artifact = bundle.artifact(name)
        assert artifact.size_bytes == (bundle.path / artifact.file).stat().st_size
