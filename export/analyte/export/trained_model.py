"""The trained Keras model as the exporters see it: a trunk, a head, and what may come between them."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from analyte.contract.arrays import Float32Array, UInt8Array
from analyte.contract.errors import InputError, IntegrityError
from analyte.contract.run import FEATURES_LAYER, graph_input
from analyte.runtime.engines.protocol import Prediction

OUTPUTS = ("value", "sigma", "features")
_BATCH = 256


@dataclass(frozen=True, slots=True)
class FeatureCorrection:
    """Undoes what quantization does to features on average: ``features * gain + offset``, both ``[F]``."""

    gain: Float32Array
    offset: Float32Array


def load_model(path: Path) -> keras.Model:
    """Load a model file by plain Keras.

    Raises: InputError when it is not there, IntegrityError when it is damaged or breaks the contract.
    """
    if not path.is_file():
        raise InputError("no such model file", where=path)
    try:
        model = keras.saving.load_model(path, compile=False)
    except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
        raise IntegrityError("not a readable Keras model", where=path, got=error) from error
    outputs = model.output if isinstance(model.output, dict) else {}
    names = {layer.name for layer in model.layers}
    dtype = model.inputs[0].dtype
    if set(outputs) != set(OUTPUTS) or FEATURES_LAYER not in names or dtype != "uint8":
        raise IntegrityError(
            "the model does not follow the graph contract",
            where=path,
            expected=f"input uint8, outputs {', '.join(OUTPUTS)}, a layer named {FEATURES_LAYER}",
            got=f"input {dtype}, outputs {', '.join(outputs) or type(model.output).__name__}",
        )
    return model


def predict(model: keras.Model, images: UInt8Array) -> Prediction:
    """Run a model that follows the graph contract on uint8 ``[N, V, S, S, 3]``, RGB."""
    parts: dict[str, list[Any]] = {name: [] for name in OUTPUTS}
    for start in range(0, len(images), _BATCH):
        outputs = model(graph_input(images[start : start + _BATCH]), training=False)
        for name in OUTPUTS:
            parts[name].append(keras.ops.convert_to_numpy(outputs[name]))
    return Prediction(**{name: np.concatenate(parts[name]).astype(np.float32) for name in OUTPUTS})


def split_head(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """Return the trunk (image to features) and the head (features to value and sigma)."""
    features = model.get_layer(FEATURES_LAYER).output
    head = keras.Model(features, {name: model.output[name] for name in ("value", "sigma")}, name="head")
    return keras.Model(model.input, features, name="trunk"), head


def with_correction(model: keras.Model, correction: FeatureCorrection) -> keras.Model:
    """Return the model with corrected features, which its head and its ``features`` output both get."""
    trunk, head = split_head(model)
    features = keras.layers.Rescaling(
        correction.gain.tolist(), correction.offset.tolist(), name="feature_correction"
    )(trunk.output)
    return keras.Model(model.input, {**head(features), "features": features}, name=model.name)
