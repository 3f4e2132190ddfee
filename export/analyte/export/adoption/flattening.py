"""A Keras model as one flat graph of its layers, whatever it is nested of.

Layers within a layer can neither be named by ``--keep-float`` nor be told apart in a table of what each
loses.
"""

from __future__ import annotations

from typing import Any

import keras

from analyte.export.trained_model import IMAGE, OUTPUTS, cloned

TO_INPUT, TO_FEATURES, TO_NUMBER, TO_UNIT, TO_SIGMA = (
    "to_input", "to_features", "to_number", "to_unit", "to_sigma",
)  # fmt: skip
"""Names of the layers that bring a model under the graph contract."""
RESERVED = frozenset({IMAGE, *OUTPUTS, TO_INPUT, TO_FEATURES, TO_NUMBER, TO_UNIT, TO_SIGMA, "flip"})
"""Names that no layer of the model may keep."""


def flatten(model: keras.Model) -> keras.Model:
    """Return a functional model of copies of the layers, under names that no two of them share."""
    copies = _Copies()
    flat = copies.flat(model)
    copies.copy_weights()
    # Copied once more: what was inlined has been called twice, and would look like a layer that is shared.
    return cloned(flat)


class _Copies:
    """The copy of each layer; a layer that is called twice has one."""

    def __init__(self) -> None:
        self._made: dict[int, Any] = {}
        self._pairs: list[tuple[Any, Any]] = []
        self._names = set(RESERVED)

    def flat(self, model: keras.Model) -> keras.Model:
        """Return the graph of a model with those of the models within it in their places."""
        if not isinstance(model, keras.Sequential):
            return keras.models.clone_model(model, clone_function=self._copy, call_function=_inline)
        given = keras.Input(batch_shape=model.inputs[0].shape, dtype=model.inputs[0].dtype)
        tensor = given
        for layer in model.layers:
            tensor = _inline(self._copy(layer), tensor)
        return keras.Model(given, tensor, name=model.name)

    def copy_weights(self) -> None:
        """Give every copy the weights of its layer, once all of them are built."""
        for layer, copy in self._pairs:
            copy.set_weights(layer.get_weights())

    def _copy(self, layer: Any) -> Any:
        if id(layer) not in self._made:
            self._made[id(layer)] = self.flat(layer) if isinstance(layer, keras.Model) else self._new(layer)
        return self._made[id(layer)]

    def _new(self, layer: Any) -> Any:
        config = layer.get_config()
        config["name"] = self._free_name(layer.name)
        copy = type(layer).from_config(config)
        if isinstance(layer, keras.layers.Layer):  # others are operations, which have no weights
            self._pairs.append((layer, copy))
        return copy

    def _free_name(self, wanted: str) -> str:
        name, count = wanted, 1
        while name in self._names:
            count += 1
            name = f"{wanted}_{count}"
        self._names.add(name)
        return name


def _inline(layer: Any, *inputs: Any, **options: Any) -> Any:
    """Call a layer; of a model, the layers within it."""
    return layer.call(*inputs) if isinstance(layer, keras.Model) else layer(*inputs, **options)
