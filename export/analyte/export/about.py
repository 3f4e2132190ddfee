"""What a model file says of itself, so that a stray one explains itself."""

from __future__ import annotations

import json
from collections import Counter

import onnx

from analyte.contract.manifest import EngineName
from analyte.contract.run import RunRecord
from analyte.contract.versions import installed_versions
from analyte.export.tflite_operators import operators
from analyte.runtime.engines.associated_files import ABOUT_FILE, attach

_KEY = "analyte"
"""Of the metadata in an ONNX file."""


def about(name: str, artifact: str, record: RunRecord) -> str:
    """Return what a model file reads and in which unit, as JSON."""
    label, size = record.label, record.preprocessing.size
    edges = [size, size, 3] if len(record.views) == 1 else [len(record.views), size, size, 3]
    return json.dumps(
        {
            "bundle": name,
            "artifact": artifact,
            "analyte": label.analyte,
            "unit": label.unit,
            "range": [label.low, label.high],
            "views": record.views,
            "covariates": record.covariates.names,
            "image": {"dtype": "uint8", "shape": ["N", *edges], "colour": "RGB"},
            "value": f"float32 [N], {label.unit}",
            "sigma": f"float32 [N], {label.unit}",
            "written_by": f"analyte {installed_versions(())['analyte']}",
        },
        separators=(",", ":"),
    )


def with_about(data: bytes, engine: EngineName, text: str) -> bytes:
    """Return a model file that carries ``text``."""
    if engine == "litert":
        return attach(data, {ABOUT_FILE: text.encode()})
    proto = onnx.load_from_string(data)
    proto.metadata_props.add(key=_KEY, value=text)
    marked: bytes = proto.SerializeToString()
    return marked


def operator_counts(data: bytes, engine: EngineName) -> dict[str, int]:
    """Return how many operators of each kind a model file holds."""
    if engine == "litert":
        return dict(sorted(Counter(operators(data)).items()))
    return dict(sorted(Counter(node.op_type for node in onnx.load_from_string(data).graph.node).items()))
