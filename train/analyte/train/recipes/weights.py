"""Weights for a recipe's backbone: from a file that the user has, checked before training starts."""

from __future__ import annotations

import io
import math
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import keras

from analyte.contract.errors import InputError, SettingsError
from analyte.train.recipes.recipe import BACKBONE_LAYER

_WEIGHTS_IN_ARCHIVE = "model.weights.h5"
_NOT_WEIGHTS = frozenset(("optimizer", "optimizer_weights", "seed_generator"))
"""Groups of a weight file that hold the state of a training, and of random numbers."""
_KINDS = ".weights.h5 or .keras as Keras 3 saves them, or .h5 of older versions"


class _Content(NamedTuple):
    """How much a file holds, or a network needs."""

    arrays: int
    numbers: int

    def __str__(self) -> str:
        return f"{self.numbers:,} numbers in {self.arrays} arrays"


def load_backbone_weights(core: keras.Model, path: Path) -> None:
    """Load the weights of a published network into the layer `BACKBONE_LAYER` of ``core``, in place.

    ``path``: a ``.weights.h5`` or ``.keras`` file as Keras 3 saves it, or a ``.h5`` file of older
    versions, of the same network without its classifier (``include_top=False``).

    Raises: InputError when the file is missing, is no weight file, or is of another network;
    SettingsError when ``core`` has no such layer.
    """
    backbone = _backbone(core)
    content = _content(path)
    needed = _Content(len(backbone.weights), backbone.count_params())
    try:
        with warnings.catch_warnings():
            # Keras only warns where it leaves layers at random.
            warnings.simplefilter("error", UserWarning)
            backbone.load_weights(path)
    except (ValueError, KeyError, TypeError, AttributeError, OSError, UserWarning) as error:
        same = content == needed
        raise InputError(
            f"these weights do not fit the network of recipe {core.name!r}",
            where=path,
            expected=needed,
            got=_first_line(error) if same else content,
            fix="Give those of the same network, saved with include_top=False",
        ) from error


def freeze_backbone(core: keras.Model, frozen: bool) -> None:
    """Set whether training changes the weights of the layer `BACKBONE_LAYER`, which come from a file.

    Takes effect when a model over ``core`` is compiled next. Batch normalization stays in inference
    mode, frozen or not: it was learned with statistics of millions of photographs, and those of a few
    small batches would throw away what the filters behind it expect (Keras guide "Transfer learning and
    fine-tuning"). A backbone that starts at random has no such statistics: this is not for one.
    """
    backbone = _backbone(core)
    backbone.trainable = not frozen
    for layer in backbone._flatten_layers(include_self=False):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False


def _backbone(core: keras.Model) -> keras.Model:
    if BACKBONE_LAYER not in {layer.name for layer in core.layers}:
        raise SettingsError(
            f"recipe {core.name!r} has no published network that could start from weights in a file",
            where="--weights",
            fix="Choose a recipe whose name begins with 'transfer-'",
        )
    return core.get_layer(BACKBONE_LAYER)


def _content(path: Path) -> _Content:
    """Return what a weight file holds. Raises: InputError when it is none."""
    if not path.is_file():
        raise InputError("no such file of weights", where=path, expected=_KINDS)
    try:
        if path.suffix == ".keras":
            with zipfile.ZipFile(path) as archive:
                return _count(io.BytesIO(archive.read(_WEIGHTS_IN_ARCHIVE)))
        if path.suffix in {".h5", ".hdf5"}:
            return _count(path)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(
            "not a file of weights", where=path, expected=_KINDS, got=_first_line(error)
        ) from error
    raise InputError("not a file of weights", where=path, expected=_KINDS, got=path.name)


def _count(file: Path | io.BytesIO) -> _Content:
    with h5py.File(file, "r") as store:
        sizes = list(_array_sizes(store))
    return _Content(len(sizes), sum(sizes))


def _array_sizes(group: Any) -> Iterator[int]:
    for name, item in group.items():
        if name in _NOT_WEIGHTS:
            continue
        if isinstance(item, h5py.Dataset):
            yield math.prod(item.shape)
        else:
            yield from _array_sizes(item)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
