"""The formats by name, and how each is made from a Keras model. A new one is a converter and a line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import keras

from analyte.contract.arrays import Float32Array, UInt8Array
from analyte.contract.manifest import EngineName, Precision
from analyte.export.calibration import calibration_index, calibration_pictures
from analyte.export.head_refit import refit
from analyte.export.keras_to_onnx import keras_to_onnx
from analyte.export.keras_to_tflite import keras_to_tflite
from analyte.export.quantize_onnx import quantize_onnx
from analyte.export.quantize_tflite import quantize_tflite
from analyte.export.trained_model import predict, with_correction
from analyte.runtime.engines.registry import open_engine


@dataclass(frozen=True)
class Source:
    """What formats are made from. Conversions that several formats need are made once."""

    model: keras.Model
    recorded: UInt8Array
    """Training pictures as recorded, uint8 ``[N, V, S, S, 3]``, RGB: what heads are refitted on."""
    covariates: Float32Array | None = None
    """Of those samples, float32 ``[N, K]``; None where K is 0."""

    @cached_property
    def calibration(self) -> UInt8Array:
        """What integer ranges are taken from, uint8 ``[N, V, S, S, 3]``, RGB."""
        return calibration_pictures(self.recorded)

    @cached_property
    def calibration_covariates(self) -> Float32Array | None:
        """Of the calibration pictures, float32 ``[M, K]``; None where K is 0."""
        return None if self.covariates is None else self.covariates[calibration_index(len(self.recorded))]

    @cached_property
    def onnx(self) -> bytes:
        """The model as ONNX float32."""
        return keras_to_onnx(self.model)

    @cached_property
    def tflite(self) -> bytes:
        """The model as TFLite float32."""
        return keras_to_tflite(self.model)


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of model file."""

    name: str
    suffix: str
    engine: EngineName
    precision: Precision
    help: str
    """What it is for, in one line."""
    convert: Callable[[Source], bytes]


def _onnx(source: Source) -> bytes:
    return source.onnx


def _tflite(source: Source) -> bytes:
    return source.tflite


def _onnx_int8(source: Source) -> bytes:
    beside = source.calibration_covariates
    draft = quantize_onnx(source.onnx, source.calibration, beside)
    corrected = _corrected(source, draft, "onnx")
    return quantize_onnx(keras_to_onnx(corrected), source.calibration, beside)


def _tflite_int8(source: Source) -> bytes:
    beside = source.calibration_covariates
    draft = quantize_tflite(source.model, source.tflite, source.calibration, beside)
    corrected = _corrected(source, draft, "litert")
    return quantize_tflite(corrected, keras_to_tflite(corrected), source.calibration, beside)


def _corrected(source: Source, draft: bytes, engine: EngineName) -> keras.Model:
    """Refit the model's head to the features that a quantized draft really gives on this machine."""
    opened = open_engine(draft, engine)
    try:
        quantized = opened.run(source.recorded, source.covariates).features
    finally:
        opened.close()
    exact = predict(source.model, source.recorded, source.covariates).features
    return with_correction(source.model, refit(quantized, exact))


FORMATS: dict[str, Format] = {
    entry.name: entry
    for entry in (
        Format("onnx", ".onnx", "onnx", "float32", "ONNX Runtime on any processor or GPU", _onnx),
        Format(
            "onnx-int8",
            "-int8.onnx",
            "onnx",
            "int8",
            "ONNX Runtime where speed or size matters: int8 trunk (QDQ), refitted float head",
            _onnx_int8,
        ),
        Format("tflite", ".tflite", "litert", "float32", "LiteRT (TFLite) on small boards", _tflite),
        Format(
            "tflite-int8",
            "-int8.tflite",
            "litert",
            "int8",
            "LiteRT where speed or size matters: int8 trunk, refitted float head",
            _tflite_int8,
        ),
    )
}
