"""ONNX's own evaluator as an engine: slow, plain, and written by nobody who wrote ONNX Runtime's kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import version_converter
from onnx.reference import ReferenceEvaluator

from analyte.contract.arrays import Float32Array, UInt8Array
from analyte.contract.errors import UnavailableError
from analyte.runtime.engines.graph import OUTPUTS, check_graph, to_graph, to_prediction
from analyte.runtime.engines.protocol import EngineInfo, GraphShape, Prediction

IMAGES = 8
"""Golden images that it is asked about: it takes up to a second for each."""
_OPSET = 21
_DTYPES = {onnx.TensorProto.UINT8: "uint8", onnx.TensorProto.FLOAT: "float32"}


class ReferenceOnnx:
    """A model file as `onnx.reference.ReferenceEvaluator` runs it; provider ``reference``."""

    def __init__(self, model: bytes, *, where: object) -> None:
        proto = onnx.load_from_string(model)
        graph = proto.graph
        self._where = where
        self._shape: GraphShape = check_graph(
            {entry.name: (_dims(entry), _dtype(entry)) for entry in graph.input},
            {entry.name: _dtype(entry) for entry in graph.output},
            where=where,
        )
        self._evaluator: Any = _evaluator(proto, where=where)
        self._info = EngineInfo("onnx", "reference", 1, "onnx", str(onnx.__version__))

    @property
    def info(self) -> EngineInfo:
        """What runs the model."""
        return self._info

    @property
    def shape(self) -> GraphShape:
        """What the graph takes."""
        return self._shape

    def run(self, images: UInt8Array, covariates: Float32Array | None = None) -> Prediction:
        """Run N samples; see `Engine.run`."""
        inputs = to_graph(images, covariates, self._shape)
        try:
            # One by one, as each is read: dynamic ranges would be those of the batch.
            singles = [
                self._evaluator.run(list(OUTPUTS), {name: array[i : i + 1] for name, array in inputs.items()})
                for i in range(len(images))
            ]
            value, sigma, features = (np.concatenate(parts) for parts in zip(*singles, strict=True))
        # Written in numpy by many hands: whatever it stumbles over says nothing about the artifact.
        except Exception as error:
            raise UnavailableError(
                "ONNX's reference evaluator cannot run it", where=self._where, got=error
            ) from error
        return to_prediction(value, sigma, features, len(images))

    def close(self) -> None:
        """Release the model."""
        self._evaluator = None


def _evaluator(proto: Any, *, where: object) -> Any:
    """Return an evaluator of a model. Raises: UnavailableError for operators that it does not have."""
    # It knows quantization from opset 19 on; the same operators mean the same there.
    opset = next((entry.version for entry in proto.opset_import if not entry.domain), _OPSET)
    try:
        try:
            return ReferenceEvaluator(proto)
        except RuntimeError:
            if opset >= _OPSET:
                raise
            return ReferenceEvaluator(version_converter.convert_version(proto, _OPSET))
    # The two have no common base for what they do not support.
    except Exception as error:
        raise UnavailableError("ONNX's reference evaluator cannot run it", where=where, got=error) from error


def _dims(entry: Any) -> list[object]:
    return [dim.dim_value or dim.dim_param for dim in entry.type.tensor_type.shape.dim]


def _dtype(entry: Any) -> Any:
    kind = entry.type.tensor_type.elem_type
    return np.dtype(_DTYPES[kind]).type if kind in _DTYPES else kind
