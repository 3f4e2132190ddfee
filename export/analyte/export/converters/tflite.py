"""TFLite float32."""

from __future__ import annotations

from analyte.export.source import Source


def convert(source: Source) -> bytes:
    """Return the model as it is."""
    return source.tflite
