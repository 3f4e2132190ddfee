"""TFLite with weights in half precision; it computes in float32, a GPU delegate in half precision."""

from __future__ import annotations

from analyte.export.source import Source
from analyte.export.tflite_graph import TfliteGraph
from analyte.export.tflite_storage import store_half


def convert(source: Source) -> bytes:
    """Return the model with half the bytes."""
    graph = TfliteGraph(source.tflite)
    store_half(graph)
    return graph.pack()
