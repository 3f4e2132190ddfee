"""Putting a network together: colour planes, trunk, views, covariates, head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from analyte.contract.label import LabelSpec
from analyte.contract.run import FEATURES_LAYER
from analyte.train.aggregates import MONTAGE, aggregate, montage
from analyte.train.colour import colour_planes
from analyte.train.heads.registry import HEADS
from analyte.train.label_scale import LabelScale, Transform
from analyte.train.recipes.recipe import Recipe

_COVARIATE_UNITS = 16


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """What a network is made of. Names as in the registries of each part."""

    recipe: Recipe
    colour: tuple[str, ...]
    """Planes, see `analyte.train.colour`."""
    reference: str | None
    """View that colours are taken relative to; None takes each picture's own mean."""
    aggregate: str
    head: str
    loss: str
    transform: Transform
    """Scale of the label, see `analyte.train.label_scale`."""


@dataclass(frozen=True, slots=True)
class CovariateInput:
    """How the second input is read: numbers first, then categories by index.

    ``means``, ``deviations``: of each numeric covariate over the training samples, in its own unit.
    ``categories``: number of categories of each categorical one.
    """

    means: tuple[float, ...] = ()
    deviations: tuple[float, ...] = ()
    categories: tuple[int, ...] = ()

    @property
    def width(self) -> int:
        """Columns of the input."""
        return len(self.means) + len(self.categories)


@dataclass(frozen=True, slots=True)
class NetworkInput:
    """What a network takes and measures."""

    label: LabelSpec
    views: tuple[str, ...]
    size: int
    """Edge of the square picture, pixels."""
    covariates: CovariateInput = CovariateInput()


def build_core(settings: NetworkSettings, takes: NetworkInput) -> keras.Model:
    """Build the trainable network.

    Inputs: ``image`` uint8 ``[N, S, S, 3]`` (``[N, V, S, S, 3]`` for V > 1 views), RGB, and, where there are
    covariates, ``covariates`` float32 ``[N, K]``. Outputs: ``fitted`` (what the head's loss compares),
    ``value`` and ``sigma`` float32 ``[N]`` in the label's unit, and ``features`` float32 ``[N, F]``: those of
    the views, one after the other.
    """
    size, views = takes.size, takes.views
    shape = (size, size, 3) if len(views) == 1 else (len(views), size, size, 3)
    inputs: dict[str, Any] = {"image": keras.Input(shape, dtype="uint8", name="image")}
    features = _features(inputs["image"], settings, takes)
    features = keras.layers.Identity(name=FEATURES_LAYER)(features)
    of_sample = aggregate(settings.aggregate, features, len(views))
    beside = None
    if takes.covariates.width:
        inputs["covariates"] = keras.Input((takes.covariates.width,), dtype="float32", name="covariates")
        beside = _covariates(inputs["covariates"], takes.covariates)
        of_sample = keras.ops.concatenate([of_sample, _covariate_features(beside)], axis=-1)
    if settings.recipe.hidden:
        of_sample = keras.layers.Dense(settings.recipe.hidden, activation="relu", name="head_hidden")(
            of_sample
        )
    if beside is not None:
        # A straight way to the head as well ("wide and deep": Cheng et al., DLRS 2016, arXiv 1606.07792). In
        # a linear head, what a covariate adds need not be put together of rectifiers by few samples.
        of_sample = keras.ops.concatenate([of_sample, beside], axis=-1)
    scale = LabelScale.of(takes.label, settings.transform)
    ending = HEADS[settings.head]
    head = ending.build(of_sample, scale)
    value = scale.value(head.z)
    if ending.bounded:
        # Rounding on the way back from z leaves the range by a last digit, and a device would say so.
        value = keras.ops.clip(value, *_within(takes.label))
    outputs = {
        "fitted": head.fitted,
        "value": keras.layers.Identity(name="value")(value),
        "sigma": keras.layers.Identity(name="sigma")(scale.width(head.sigma, head.z)),
        "features": features,
    }
    # One input stays bare: that is how plain Keras users call the model.
    return keras.Model(
        inputs if takes.covariates.width else inputs["image"], outputs, name=settings.recipe.name
    )


def _features(image: Any, settings: NetworkSettings, takes: NetworkInput) -> Any:
    """Return the features of all views side by side, ``[N, V * F]``; of a montage ``[N, F]``."""
    colours = colour_planes(image, takes.views, settings.colour, settings.reference)
    if len(takes.views) == 1:
        return settings.recipe.trunk(colours)
    if settings.aggregate == MONTAGE:
        return settings.recipe.trunk(montage(colours))
    # One trunk for all views: they are pictures of the same kind.
    pictures = keras.ops.reshape(colours, (-1, *colours.shape[2:]))
    features = settings.recipe.trunk(pictures)
    return keras.ops.reshape(features, (-1, len(takes.views) * features.shape[-1]))


def _within(label: LabelSpec) -> tuple[float, float]:
    """Return the lowest and the highest float32 inside the declared range, label's unit."""
    low, high = np.float32(label.low), np.float32(label.high)
    if float(low) < label.low:
        low = np.nextafter(low, np.float32(np.inf))
    if float(high) > label.high:
        high = np.nextafter(high, np.float32(-np.inf))
    return float(low), float(high)


def _covariates(covariates: Any, takes: CovariateInput) -> Any:
    """Return standardized numbers and one-hot categories side by side, ``[N, C]``."""
    numeric = len(takes.means)
    parts = []
    if numeric:
        scale = [1.0 / deviation for deviation in takes.deviations]
        offset = [-mean * factor for mean, factor in zip(takes.means, scale, strict=True)]
        parts.append(keras.layers.Rescaling(scale, offset)(covariates[:, :numeric]))
    for at, count in enumerate(takes.categories, start=numeric):
        index = keras.ops.cast(covariates[:, at], "int32")
        parts.append(keras.ops.one_hot(index, count))
    return parts[0] if len(parts) == 1 else keras.ops.concatenate(parts, axis=-1)


def _covariate_features(beside: Any) -> Any:
    """Return ``[N, _COVARIATE_UNITS]``, where covariates may bend and act together."""
    return keras.layers.Dense(_COVARIATE_UNITS, activation="relu", name="covariate_hidden")(beside)
