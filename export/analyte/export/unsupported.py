"""Layers that a format has no operator for, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import keras

from analyte.contract.errors import InputError
from analyte.export.frozen_graph import freeze
from analyte.export.trained_model import IMAGE

_OUTPUT = "value"
_T = TypeVar("_T")


class UnsupportedError(InputError):
    """A model holds something that a format has no operator for."""


def convert_model(model: keras.Model, convert: Callable[[Any], _T]) -> _T:
    """Convert a model's frozen function by ``convert``, which raises UnsupportedError.

    Raises: UnsupportedError naming the layers, as far as single ones are to blame.
    """
    try:
        return convert(freeze(model))
    except UnsupportedError as error:
        layers = _blame(model, convert)
        if not layers:
            raise
        raise UnsupportedError(error.what, got=", ".join(layers)) from error


def _blame(model: keras.Model, convert: Callable[[Any], object]) -> list[str]:
    """Return the layers, as ``name (Kind)``, that do not convert when each is all there is.

    ``convert`` takes a frozen function. Layers of the same kind and settings are tried once.
    """
    verdicts: dict[str, bool] = {}
    found: list[str] = []
    for layer in model.layers:
        if isinstance(layer, keras.layers.InputLayer) or not isinstance(layer.input, keras.KerasTensor):
            continue
        config = {key: value for key, value in layer.get_config().items() if key != "name"}
        kind = f"{type(layer).__name__} {config} {layer.input.shape} {layer.input.dtype}"
        if kind not in verdicts:
            verdicts[kind] = _converts(layer, convert)
        if not verdicts[kind]:
            found.append(f"{layer.name} ({type(layer).__name__})")
    return found


def _converts(layer: Any, convert: Callable[[Any], object]) -> bool:
    given = keras.Input(layer.input.shape[1:], dtype=layer.input.dtype, name=IMAGE)
    alone = type(layer).from_config(layer.get_config())
    try:
        convert(freeze(keras.Model(given, {_OUTPUT: alone(given)}), (_OUTPUT,)))
    except UnsupportedError:
        return False
    return True


def reason(error: Exception) -> str:
    """Return the line of a converter's message that says what is wrong; the message may be pages long."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if "error:" in line or "No Op registered" in line]
    return (telling or lines[-1:] or [type(error).__name__])[0][:200]
