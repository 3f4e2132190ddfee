"""The trained Keras model as the exporters see it: a trunk, a head, and what may come between them."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from analyte.contract.arrays import Float32Array, UInt8Array
from analyte.contract.errors import InputError, IntegrityError
from analyte.contract.manifest import Manifest
from analyte.contract.run import FEATURES_LAYER, MODEL_FILE, network_input
from analyte.runtime.engines.protocol import Prediction

IMAGE, COVARIATES = "image", "covariates"
OUTPUTS = ("value", "sigma", "features")
_BATCH = 256
_SUFFIXES = (".keras", ".h5", ".hdf5")
"""Files that Keras loads."""


@dataclass(frozen=True, slots=True)
class FeatureCorrection:
    """Undoes what quantization does to features on average: ``features * gain + offset``, both ``[F]``."""

    gain: Float32Array
    offset: Float32Array


def load_model(path: Path) -> keras.Model:
    """Load a model file by plain Keras.

    Raises: as `check_model_file`; IntegrityError when it is damaged or breaks the contract.
    """
    check_model_file(path)
    try:
        model = keras.saving.load_model(path, compile=False)
    except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
        raise IntegrityError("not a readable Keras model", where=path, got=error) from error
    outputs = model.output if isinstance(model.output, dict) else {}
    names = {layer.name for layer in model.layers}
    inputs = {name: str(tensor.dtype) for name, tensor in inputs_of(model).items()}
    takes = ({IMAGE: "uint8"}, {IMAGE: "uint8", COVARIATES: "float32"})
    if inputs not in takes or set(outputs) != set(OUTPUTS) or FEATURES_LAYER not in names:
        raise IntegrityError(
            "the model does not follow the graph contract",
            where=path,
            expected=f"input {IMAGE} uint8 (and {COVARIATES} float32), outputs {', '.join(OUTPUTS)}, a layer "
            f"named {FEATURES_LAYER}",
            got=f"inputs {', '.join(f'{name} {dtype}' for name, dtype in inputs.items())}, "
            f"outputs {', '.join(outputs) or type(model.output).__name__}",
        )
    check_finite(model, path)
    return model


def check_model_file(path: Path) -> None:
    """Refuse what cannot be a model file in more helpful words than Keras has for it.

    Raises: InputError when it is not there, a folder or of another kind; IntegrityError for half a file.
    """
    if path.is_dir():
        inside = path / MODEL_FILE
        fix = f"Name the file in it: {inside}" if inside.is_file() else None
        raise InputError("a folder, and a model is one file", where=path, expected="NAME.keras", fix=fix)
    if not path.is_file():
        raise InputError("no such model file", where=path)
    if path.suffix not in _SUFFIXES:
        raise InputError("not the name of a Keras model", where=path, expected="NAME.keras")
    size = path.stat().st_size
    if size == 0 or (path.suffix == ".keras" and not zipfile.is_zipfile(path)):
        raise IntegrityError(
            "not a readable Keras model",
            where=path,
            expected="what model.save('NAME.keras') writes",
            got=f"{size} bytes that are no whole zip" if size else "an empty file",
            fix="Copy it again, or save the model again",
        )


def check_finite(model: keras.Model, path: Path) -> None:
    """Raises: IntegrityError where a weight is NaN or infinite."""
    broken = [layer.name for layer in model.layers if not all(map(_finite, layer.get_weights()))]
    if broken:
        raise IntegrityError(
            f"layer {broken[0]!r} has weights that are not finite", where=path, fix="Train again"
        )


def load_fitting_model(manifest: Manifest, path: Path) -> keras.Model:
    """Load a model to compare a bundle with.

    Raises: as `load_model`; InputError when it takes other input.
    """
    model = load_model(path)
    size, views = manifest.preprocessing.size, len(manifest.views)
    wanted: dict[str, tuple[int, ...]] = {IMAGE: (size, size, 3) if views == 1 else (views, size, size, 3)}
    if manifest.covariates.names:
        wanted[COVARIATES] = (len(manifest.covariates.names),)
    given = {name: tuple(tensor.shape[1:]) for name, tensor in inputs_of(model).items()}
    if given != wanted:
        raise InputError(
            "the model does not fit the bundle", where=path, expected=_in_words(wanted), got=_in_words(given)
        )
    return model


def _in_words(inputs: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {[*shape]}" for name, shape in inputs.items())


def _finite(weights: Any) -> bool:
    return not np.issubdtype(weights.dtype, np.floating) or bool(np.isfinite(weights).all())


def inputs_of(model: keras.Model) -> dict[str, Any]:
    """Return the symbolic inputs by name: ``image``, and ``covariates`` where the model takes any."""
    return {tensor.name: tensor for tensor in sorted(model.inputs, key=lambda tensor: tensor.name != IMAGE)}


def predict(model: keras.Model, images: UInt8Array, covariates: Float32Array | None = None) -> Prediction:
    """Run a model that follows the graph contract on uint8 ``[N, V, S, S, 3]``, RGB.

    ``covariates``: float32 ``[N, K]``; None where K is 0.
    """
    if covariates is None:
        covariates = np.zeros((len(images), 0), np.float32)
    parts: dict[str, list[Any]] = {name: [] for name in OUTPUTS}
    for start in range(0, len(images), _BATCH):
        chosen = slice(start, start + _BATCH)
        outputs = model(network_input(images[chosen], covariates[chosen]), training=False)
        for name in OUTPUTS:
            parts[name].append(keras.ops.convert_to_numpy(outputs[name]))
    return Prediction(**{name: np.concatenate(parts[name]).astype(np.float32) for name in OUTPUTS})


def cloned(model: keras.Model, **options: Any) -> keras.Model:
    """Return a copy of a model with its weights; ``options``: those of `keras.models.clone_model`."""
    copy = keras.models.clone_model(model, **options)
    copy.set_weights(model.get_weights())
    finalize_normalizations(copy)
    return copy


def finalize_normalizations(model: keras.Model) -> None:
    """Let ``Normalization`` layers, those within other layers too, compute with the weights that they have
    been given: they compute with copies."""
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()


def split_head(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """Return the trunk (image to features) and the head.

    The head takes ``features``, and ``covariates`` where the model takes any, and gives value and sigma.
    """
    features = model.get_layer(FEATURES_LAYER).output
    image, *beside = inputs_of(model).values()
    outputs = {name: model.output[name] for name in ("value", "sigma")}
    head = keras.Model([features, *beside], outputs, name="head")
    return keras.Model(image, features, name="trunk"), head


def with_correction(model: keras.Model, correction: FeatureCorrection) -> keras.Model:
    """Return the model with corrected features, which its head and its ``features`` output both get."""
    trunk, head = split_head(model)
    _, *beside = inputs_of(model).values()
    features = keras.layers.Rescaling(
        correction.gain.tolist(), correction.offset.tolist(), name="feature_correction"
    )(trunk.output)
    outputs = {**head([features, *beside]), "features": features}
    return keras.Model(model.input, outputs, name=model.name)
