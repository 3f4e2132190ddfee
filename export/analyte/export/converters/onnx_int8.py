"""ONNX int8, static: a quantized trunk (QDQ) and a float head that is refitted to what the trunk gives."""

from __future__ import annotations

from analyte.export.quantize_onnx import quantize_onnx
from analyte.export.source import Source


def convert(source: Source) -> bytes:
    """Quantize twice: the features of a draft tell how to correct them in the file itself."""
    return _quantized(source.corrected(_quantized(source), "onnx"))


def _quantized(source: Source) -> bytes:
    return quantize_onnx(
        source.onnx, source.calibration, source.calibration_covariates, source.keep_float, source.layers
    )
