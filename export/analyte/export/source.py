"""What formats are made from: the trained model, and the training pictures that quantization may look at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import keras
import numpy as np

from analyte.contract.arrays import Float32Array, Float64Array, UInt8Array
from analyte.contract.manifest import EngineName
from analyte.export.calibration import IntArray, calibration_index, calibration_pictures
from analyte.export.head_refit import refit
from analyte.export.keras_to_onnx import keras_to_onnx
from analyte.export.keras_to_tflite import keras_to_tflite
from analyte.export.quantize_tflite import Ranges, trunk_tensors
from analyte.export.tflite_ranges import measure_ranges
from analyte.export.trained_model import predict, with_correction
from analyte.runtime.deviation import run_batched
from analyte.runtime.engines.registry import open_engine

_BATCH = 64
_OF_THE_MODEL = ("calibration", "calibration_covariates", "onnx", "tflite", "tflite_ranges", "features")
"""What a source keeps once it is made, and what layers stay in float does not touch."""


@dataclass(frozen=True)
class Source:
    """A model and its training pictures. Conversions that several formats need are made once."""

    model: keras.Model
    recorded: UInt8Array
    """Training pictures as recorded, uint8 ``[N, V, S, S, 3]``, RGB, ordered so that any evenly spaced part
    of them covers levels and sessions: what heads are refitted on."""
    covariates: Float32Array | None = None
    """Of those samples, float32 ``[N, K]``; None where K is 0."""
    keep_float: frozenset[str] = frozenset()
    """Keras layers that integer formats leave in float."""
    exact: Float32Array | None = field(default=None, repr=False)
    """Features of the recorded pictures that a refitted head is to get, ``[N, F]``; None: the model's own."""

    @cached_property
    def calibration(self) -> UInt8Array:
        """What integer ranges are taken from, uint8 ``[M, V, S, S, 3]``, RGB."""
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

    @cached_property
    def tflite_ranges(self) -> Ranges:
        """What the tensors of that file that are quantized reach on the calibration pictures."""
        return measure_ranges(
            self.tflite, self.calibration, self.calibration_covariates, trunk_tensors(self.tflite)
        )

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """Names of the model's layers."""
        return tuple(layer.name for layer in self.model.layers)

    @cached_property
    def features(self) -> Float32Array:
        """What the trained model's features are on the recorded pictures, ``[N, F]``."""
        if self.exact is not None:
            return self.exact
        return predict(self.model, self.recorded, self.covariates).features

    def with_model(self, model: keras.Model) -> Source:
        """Return the same with another model, whose features are to become those of this one."""
        return replace(self, model=model, exact=self.features)

    def keeping(self, layers: Iterable[str]) -> Source:
        """Return the same with more layers in float."""
        made = replace(self, keep_float=self.keep_float | frozenset(layers))
        # The model is the same, and so is what was made of it.
        made.__dict__.update({name: self.__dict__[name] for name in _OF_THE_MODEL if name in self.__dict__})
        return made

    def corrected(self, draft: bytes, engine: EngineName) -> Source:
        """Return the same with a head refitted to the features that a draft really gives on this machine."""
        opened = open_engine(draft, engine)
        try:
            quantized = run_batched(opened, self.recorded, _BATCH, self.covariates).features
        finally:
            opened.close()
        return self.with_model(with_correction(self.model, refit(quantized, self.features)))


def stratified(values: Float64Array, sessions: Sequence[str]) -> IntArray:
    """Return an order of samples, ``[N]``, by level and, within a level, by session."""
    return np.lexsort((np.asarray(sessions), values))
