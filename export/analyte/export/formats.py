"""The formats by name, and what each is for. A new one is a file in `converters` and a line here.

Importing this needs neither TensorFlow nor an engine: a converter is imported when it is first called.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analyte.contract.manifest import EngineName, Precision

if TYPE_CHECKING:
    from analyte.export.source import Source

Convert = Callable[["Source"], bytes]


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of model file."""

    name: str
    suffix: str
    engine: EngineName
    precision: Precision
    help: str
    """What it is for, in one line."""
    convert: Convert
    standard: bool = False
    """Whether it is exported where nobody names formats."""


def _by(module: str) -> Convert:
    def convert(source: Source) -> bytes:
        found: Convert = importlib.import_module(f"analyte.export.converters.{module}").convert
        return found(source)

    return convert


FORMATS: dict[str, Format] = {
    entry.name: entry
    for entry in (
        Format(
            "onnx",
            ".onnx",
            "onnx",
            "float32",
            "ONNX Runtime on any processor or GPU: the exact one",
            _by("onnx"),
            standard=True,
        ),
        Format(
            "onnx-int8",
            "-int8.onnx",
            "onnx",
            "int8",
            "ONNX Runtime where size matters: int8 trunk (QDQ), refitted float head",
            _by("onnx_int8"),
            standard=True,
        ),
        Format(
            "onnx-float16",
            "-float16.onnx",
            "onnx",
            "float16",
            "half the bytes of onnx, nearly as exact; no faster on a processor",
            _by("onnx_float16"),
        ),
        Format(
            "onnx-dynamic",
            "-dynamic.onnx",
            "onnx",
            "dynamic",
            "int8 weights without calibration, for light that training never saw; slow",
            _by("onnx_dynamic"),
        ),
        Format(
            "tflite",
            ".tflite",
            "litert",
            "float32",
            "LiteRT (TFLite) on small boards: the exact one",
            _by("tflite"),
            standard=True,
        ),
        Format(
            "tflite-int8",
            "-int8.tflite",
            "litert",
            "int8",
            "LiteRT where speed or size matters: int8 trunk, refitted float head",
            _by("tflite_int8"),
            standard=True,
        ),
        Format(
            "tflite-float16",
            "-float16.tflite",
            "litert",
            "float16",
            "half the bytes of tflite, nearly as exact; for GPU delegates, which compute in half precision",
            _by("tflite_float16"),
        ),
        Format(
            "tflite-dynamic",
            "-dynamic.tflite",
            "litert",
            "dynamic",
            "int8 weights without calibration, for light that training never saw",
            _by("tflite_dynamic"),
        ),
        Format(
            "tflite-int8-strict",
            "-int8-strict.tflite",
            "litert",
            "int8-strict",
            "integers in and out, for accelerators that know nothing else (Edge TPU); "
            "train with --colour rgb",
            _by("tflite_int8_strict"),
        ),
        Format(
            "tflite-int16x8",
            "-int16x8.tflite",
            "litert",
            "int16x8",
            "int16 activations, int8 weights: closer than int8; slow (10 to 30 times tflite on x86)",
            _by("tflite_int16x8"),
        ),
    )
}
