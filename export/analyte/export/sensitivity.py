"""How much each layer's integers move the value: one layer at a time, everything else in float."""

from __future__ import annotations

from dataclasses import dataclass

from analyte.export.gate import Judged
from analyte.export.quantize_tflite import quantize_tflite, quantized_layers
from analyte.export.source import Source
from analyte.runtime.deviation import compare, run_batched
from analyte.runtime.engines.registry import open_engine

_BATCH = 64


@dataclass(frozen=True, slots=True)
class LayerLoss:
    """Deviation from Keras with one layer in integers, label's unit. JSON names equal field names."""

    layer: str
    mean_deviation: float
    p99_deviation: float
    max_deviation: float


def layer_losses(source: Source, judged: Judged) -> list[LayerLoss]:
    """Return every layer that int8 formats quantize, the one that loses most first.

    Measured with LiteRT, before any refit; ONNX Runtime rounds in the same places. A layer loses what the
    rounding of its weights, its picture and its result does to the value.
    """
    exact = source.tflite
    losses: list[LayerLoss] = []
    for layer in quantized_layers(exact, source.layers):
        engine = open_engine(
            quantize_tflite(exact, source.tflite_ranges, only=[layer], layers=source.layers), "litert", "cpu"
        )
        try:
            said = run_batched(engine, judged.images, _BATCH, judged.covariates)
        finally:
            engine.close()
        found = compare(said, judged.keras.value, _BATCH)
        losses.append(LayerLoss(layer, found.mean, found.p99, found.max))
    return sorted(losses, key=lambda loss: -loss.p99_deviation)
