"""A Keras model that analyte did not train, brought under the graph contract."""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from analyte.contract.arrays import Float64Array, UInt8Array
from analyte.contract.errors import InputError, IntegrityError
from analyte.contract.run import FEATURES_LAYER, graph_input
from analyte.export.adoption.flattening import (
    TO_FEATURES,
    TO_INPUT,
    TO_NUMBER,
    TO_SIGMA,
    TO_UNIT,
    flatten,
)
from analyte.export.adoption.folding import fold_normalizations
from analyte.export.adoption.spec import CHANNELS, ModelSpec
from analyte.export.trained_model import IMAGE, check_finite, check_model_file

_UNKNOWN = re.compile(r"(?:Could not locate (?:class|function)|Unknown layer:?) '?(\w+)")
_WIDEST = 2048
"""Most features: what tells foreign pictures apart takes their covariance."""
_CAMERA = ((0.0,) * CHANNELS, (255.0,) * CHANNELS)
_DOCS = "See docs/bring-your-own.md"


@dataclass(frozen=True, slots=True)
class Foreign:
    """A model that analyte did not train, flat, and what it takes."""

    original: keras.Model
    """As it was loaded."""
    model: keras.Model
    """The same, flat and with its normalizations folded."""
    views: int
    size: int
    """Edge of the square picture, pixels."""
    features: Any
    """The symbolic tensor ``[N, F]`` at which trunk and head meet."""


def load_foreign(file: Path, spec: ModelSpec) -> Foreign:
    """Load a model that takes ``[N, S, S, 3]`` (``[N, V, S, S, 3]``) and gives ``[N, 1]`` or ``[N]``.

    Raises: InputError for a model that takes or gives something else, or holds Python code; IntegrityError
    for a damaged file.
    """
    original = _load(file)
    _check_precision(original, file)
    model = flatten(original)
    check_finite(model, file)
    model = fold_normalizations(model)
    views, size = _picture(model, spec, file)
    _check_output(model, file)
    return Foreign(original, model, views, size, _features(model, spec, file))


def _load(file: Path) -> keras.Model:
    check_model_file(file)
    try:
        # Safe mode: a Lambda layer is Python code of whoever made the file, and loading it would run it.
        model = keras.saving.load_model(file, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
        raise _unreadable(error, file) from error
    if not isinstance(model, keras.Model) or not hasattr(model, "inputs") or not model.built:
        raise InputError(
            "the model has no graph of layers",
            where=file,
            expected="a functional or sequential Keras model",
            got=type(model).__name__,
            fix="Build it with keras.Model(inputs, outputs) and save it again",
        )
    return model


def _unreadable(error: Exception, file: Path) -> InputError | IntegrityError:
    said = str(error)
    if "Lambda" in said or "safe_mode" in said:
        return InputError(
            "the model holds a Lambda layer, which is Python code that loading would run; "
            "Keras' safe mode stays on",
            where=file,
            fix="Write it as stock layers (Rescaling, Normalization, ...) and save the model again",
        )
    if "Could not locate" in said or "Unknown layer" in said:
        return InputError(
            "the model holds layers that Keras does not know",
            where=file,
            expected="stock Keras layers only",
            got=", ".join(dict.fromkeys(_UNKNOWN.findall(said))) or said.splitlines()[0][:200],
            fix="Write them as stock layers and save the model again",
        )
    return IntegrityError("not a readable Keras model", where=file, got=error)


def _check_precision(model: keras.Model, file: Path) -> None:
    """Refuse layers that compute in half precision: the files compute in float32, and would say otherwise."""
    half = [layer.name for layer in model._flatten_layers() if "16" in str(layer.compute_dtype)]
    if half:
        raise InputError(
            "the model computes in half precision",
            where=file,
            expected="float32",
            got=f"{half[0]!r} and {len(half) - 1} more layers",
            fix="Build it under keras.config.set_dtype_policy('float32'), give it the weights, and save it",
        )


def _picture(model: keras.Model, spec: ModelSpec, file: Path) -> tuple[int, int]:
    """Return the views and the edge in pixels that a model takes."""
    shapes = [tuple(tensor.shape) for tensor in model.inputs]
    if len(shapes) != 1 or len(shapes[0]) not in (4, 5) or shapes[0][-1] != CHANNELS:
        raise InputError(
            "the model takes something other than one colour picture",
            where=file,
            expected="one input [N, S, S, 3], or [N, V, S, S, 3] for V views",
            got=", ".join(str([*shape]) for shape in shapes),
            fix=_DOCS,
        )
    (shape,) = shapes
    if str(model.inputs[0].dtype) not in ("uint8", "float32", "float16", "bfloat16"):
        raise InputError(
            "the model takes another kind of number",
            where=file,
            expected="uint8 or float",
            got=model.inputs[0].dtype,
        )
    if model.inputs[0].dtype == "uint8" and (spec.input.black, spec.input.white) != _CAMERA:
        raise InputError(
            "the model takes the camera's own numbers, and the specification states others",
            where=file,
            expected="input.black = 0 and input.white = 255",
            got=f"{[*spec.input.black]} and {[*spec.input.white]}",
        )
    if len(shape) == 5 and shape[1] is None:
        raise InputError("the model leaves the number of views open", where=file, got=[*shape], fix=_DOCS)
    return (1 if len(shape) == 4 else shape[1]), _edge(shape[-3], shape[-2], spec.input.size, file)


def _edge(height: int | None, width: int | None, stated: int | None, file: Path) -> int:
    known = {edge for edge in (height, width, stated) if edge is not None}
    if len(known) == 1 and (None not in (height, width) or stated is not None):
        return known.pop()
    sizes = f"{height or 'open'} x {width or 'open'} px"
    if not known or (stated is None and None in (height, width)):
        raise InputError(
            "the model leaves the size of its picture open",
            where=file,
            expected="input.size in the specification, in pixels",
            got=sizes,
        )
    raise InputError(
        "analyte gives square pictures of the size that the specification states",
        where=file,
        expected="one edge" if stated is None else f"{stated} x {stated} px, or no input.size",
        got=sizes,
    )


def _check_output(model: keras.Model, file: Path) -> None:
    shapes = [tuple(tensor.shape) for tensor in model.outputs]
    if len(shapes) != 1 or shapes[0] not in ((None,), (None, 1)):
        raise InputError(
            "the model gives something other than one number per picture",
            where=file,
            expected="one output [N, 1] or [N]",
            got=", ".join(str([*shape]) for shape in shapes),
            fix=_DOCS,
        )


def _features(model: keras.Model, spec: ModelSpec, file: Path) -> Any:
    """Return the tensor at which trunk and head meet."""
    if spec.features is not None:
        return _named(model, spec.features, file)
    weighted = [layer for layer in model.layers if layer.weights and len(_shape(layer.output)) == 2]
    given: Any = weighted[-1].input if weighted else None
    if _are_features(given) and _separates(model, given):
        return given
    return model.outputs[0]


def _named(model: keras.Model, name: str, file: Path) -> Any:
    flat = [layer for layer in model.layers if _are_features(layer.output)]
    found = [layer for layer in flat if layer.name == name]
    if not found or not _separates(model, found[0].output):
        raise InputError(
            f"no layer {name!r} that gives up to {_WIDEST} features [N, F] and that everything goes through",
            where=file,
            expected=", ".join(layer.name for layer in flat if _separates(model, layer.output)) or "none",
            fix="Correct or leave out features in the specification",
        )
    return found[0].output


def _shape(tensor: Any) -> tuple[Any, ...]:
    """Return the shape of a tensor; nothing for what a layer of several outputs gives."""
    return tuple(getattr(tensor, "shape", ()))


def _are_features(tensor: Any) -> bool:
    """Whether a tensor is ``[N, F]`` of no more features than can be told apart."""
    shape = _shape(tensor)
    return len(shape) == 2 and shape[1] is not None and shape[1] <= _WIDEST


def _separates(model: keras.Model, tensor: Any) -> bool:
    """Whether everything between picture and value goes through a tensor."""
    try:
        keras.Model(tensor, model.outputs[0])
    except ValueError:  # something goes around it
        return False
    return True


def under_contract(foreign: Foreign, spec: ModelSpec, sigma: float) -> keras.Model:
    """Return the model under the graph contract; ``sigma``: of every value, label's unit."""
    shape = (foreign.size, foreign.size, CHANNELS)
    image = keras.Input(shape if foreign.views == 1 else (foreign.views, *shape), dtype="uint8", name=IMAGE)
    layers, exact = keras.layers, {"dtype": "float32"}
    trunk = keras.Model(foreign.model.inputs[0], foreign.features)
    features = trunk.call(_as_taken(image, foreign, spec))
    features = layers.Reshape((_width(foreign.features),), name=TO_FEATURES, **exact)(features)
    features = layers.Identity(name=FEATURES_LAYER)(features)
    said = features
    if foreign.features is not foreign.model.outputs[0]:
        said = keras.Model(foreign.features, foreign.model.outputs[0]).call(features)
    number = layers.Reshape((), name=TO_NUMBER, **exact)(said)
    value = layers.Rescaling(spec.output.scale, spec.output.offset, name=TO_UNIT, **exact)(number)
    outputs = {
        "value": layers.Identity(name="value")(value),
        # Of the value, so that a number that is not finite has no finite sigma.
        "sigma": layers.Identity(name="sigma")(layers.Rescaling(0.0, sigma, name=TO_SIGMA, **exact)(value)),
        "features": features,
    }
    return keras.Model(image, outputs, name="adopted")


def as_owner(foreign: Foreign, spec: ModelSpec, images: UInt8Array) -> Float64Array:
    """Return what the loaded model itself says of ``[N, V, S, S, 3]``, RGB: ``[N]``, label's unit."""
    pictures = graph_input(images)
    if spec.input.channels == "bgr":
        pictures = pictures[..., ::-1]
    if foreign.model.inputs[0].dtype != "uint8":
        black, white = np.asarray(spec.input.black), np.asarray(spec.input.white)
        pictures = (black + pictures * ((white - black) / 255.0)).astype(np.float32)
    (said,) = keras.tree.flatten(foreign.original(pictures, training=False))
    numbers: Float64Array = keras.ops.convert_to_numpy(said).astype(np.float64).ravel()
    return spec.output.scale * numbers + spec.output.offset


def _width(features: Any) -> int:
    return 1 if len(features.shape) == 1 else int(features.shape[-1])


def _as_taken(image: Any, foreign: Foreign, spec: ModelSpec) -> Any:
    """Return the picture as the model takes it."""
    dtype = foreign.model.inputs[0].dtype
    black, white = np.asarray(spec.input.black), np.asarray(spec.input.white)
    flipped = keras.ops.flip(image, axis=-1) if spec.input.channels == "bgr" else image
    if dtype == "uint8":
        return flipped
    scale, offset = (white - black) / 255.0, black
    if len(set(scale)) == len(set(offset)) == 1:
        scale, offset = scale[:1], offset[:1]
    return keras.layers.Rescaling(_plain(scale), _plain(offset), name=TO_INPUT, dtype=dtype)(flipped)


def _plain(numbers: Any) -> float | list[float]:
    return float(numbers[0]) if len(numbers) == 1 else [float(number) for number in numbers]
