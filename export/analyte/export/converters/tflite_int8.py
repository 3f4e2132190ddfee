"""TFLite int8: a quantized trunk and a float head that is refitted to what the trunk gives."""

from __future__ import annotations

from analyte.export.quantize_tflite import Activations, quantize_tflite
from analyte.export.source import Source


def convert(source: Source) -> bytes:
    """Quantize twice: the features of a draft tell how to correct them in the file itself."""
    return quantized_twice(source, "int8")


def quantized_twice(source: Source, activations: Activations) -> bytes:
    """Quantize, refit the head to the features of that draft, and quantize again."""
    return _quantized(source.corrected(_quantized(source, activations), "litert"), activations)


def _quantized(source: Source, activations: Activations) -> bytes:
    return quantize_tflite(
        source.tflite,
        source.tflite_ranges,
        activations=activations,
        keep_float=source.keep_float,
        layers=source.layers,
    )
