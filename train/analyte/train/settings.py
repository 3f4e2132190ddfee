"""What a training is to do: every option in one place, checked against each other and the data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analyte.contract.dataset import DatasetSpec
from analyte.contract.errors import SettingsError
from analyte.train.aggregates import AGGREGATES, MONTAGE
from analyte.train.augmentation import AUGMENTATIONS
from analyte.train.colour import PLANES, REFERENCE_VIEW
from analyte.train.fitting import FitSettings
from analyte.train.heads.registry import HEADS
from analyte.train.label_scale import TRANSFORMS, Transform
from analyte.train.network import NetworkSettings
from analyte.train.recipes.recipe import Recipe
from analyte.train.recipes.registry import RECIPES

NO_REFERENCE = "none"
_COMPARED = frozenset({"absorbance", "ratio"})
"""Colour planes that compare with the reference view."""
BY_SESSION = "session"
"""Folds: each session is held out once."""
_PATIENCE = 0.5
"""Epochs without a better one after which training stops, as a share of all: the learning rate falls until
the last epoch, and stopping early misses what its fall brings."""


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """What the command line sets."""

    network: NetworkSettings
    fit: FitSettings
    size: int | None = None
    """Edge of the picture that the network takes, pixels; None chooses by the smallest region."""
    augment: str = "lab"
    """Name of the augmentation set, see `analyte.train.augmentation`."""
    weights: Path | None = None
    """File of weights that a pretrained backbone starts from; None starts at random."""
    folds: int | str | None = None
    """Number of grouped folds to cross-validate on, or `BY_SESSION`; None for none."""


def named(kind: str, name: str, known: Iterable[str]) -> str:
    """Return ``name`` if it is one of ``known``. Raises: SettingsError that lists them."""
    names = list(known)
    if name not in names:
        raise SettingsError(f"no such {kind}", where=f"--{kind}", expected=" | ".join(names), got=name)
    return name


def network_settings(
    spec: DatasetSpec,
    *,
    recipe: str = "isotropic",
    colour: str | None = None,
    reference: str | None = None,
    aggregate: str = "concat",
    head: str | None = None,
    loss: str | None = None,
    transform: Transform = "scale",
) -> NetworkSettings:
    """Complete the settings of a network by those of its recipe and check them against the data.

    ``colour``: names of planes joined by ``+``. ``reference``: a view, or `NO_REFERENCE`; None takes the view
    `REFERENCE_VIEW` where there is one. Raises: SettingsError.
    """
    chosen = RECIPES[named("recipe", recipe, RECIPES)]
    blank = _reference(spec, reference)
    planes = _own_planes(chosen, blank) if colour is None else tuple(colour.split("+"))
    for plane in planes:
        named("colour", plane, PLANES)
    if reference not in (None, NO_REFERENCE) and not _COMPARED.intersection(planes):
        raise SettingsError(
            "no colour plane compares with the reference",
            where=f"--reference {reference}",
            expected=f"--colour with {' or '.join(sorted(_COMPARED))}",
            got="+".join(planes),
        )
    ending = HEADS[named("head", head or chosen.head, HEADS)]
    # The recipe's own loss goes with the recipe's own head only.
    own = chosen.loss if head in (None, chosen.head) and chosen.loss else ending.losses[0]
    if loss is not None and loss not in ending.losses:
        raise SettingsError(
            f"the loss does not go with head {ending.name!r}",
            where="--loss",
            expected=" | ".join(ending.losses),
            got=loss,
        )
    named("aggregate", aggregate, AGGREGATES)
    named("transform", transform, TRANSFORMS)
    _check_data(spec, chosen, aggregate)
    return NetworkSettings(
        recipe=chosen,
        colour=planes,
        reference=blank,
        aggregate=aggregate,
        head=ending.name,
        loss=loss or own,
        transform=transform,
    )


def train_settings(
    spec: DatasetSpec,
    *,
    size: int | None = None,
    augment: str = "lab",
    weights: Path | None = None,
    folds: int | str | None = None,
    epochs: int = 60,
    patience: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    seed: int = 0,
    **network: Any,
) -> TrainSettings:
    """Complete the settings of a training; ``network``: see `network_settings`. Raises: SettingsError."""
    chosen = network_settings(spec, **network)
    return TrainSettings(
        network=chosen,
        fit=FitSettings(
            epochs=epochs,
            patience=round(_PATIENCE * epochs) if patience is None else patience,
            batch_size=batch_size,
            learning_rate=chosen.recipe.learning_rate if learning_rate is None else learning_rate,
            seed=seed,
        ),
        size=size,
        augment=named("augment", augment, AUGMENTATIONS),
        weights=weights,
        folds=folds,
    )


def _own_planes(recipe: Recipe, reference: str | None) -> tuple[str, ...]:
    # Without a reference view absorbance is against the picture's own mean, which holds the specimen as well:
    # it made new sessions worse (docs/decisions/0015).
    return recipe.colour if reference is None else (*recipe.colour, *recipe.against_reference)


def _check_data(spec: DatasetSpec, recipe: Recipe, aggregate: str) -> None:
    """Refuse a recipe that cannot see what the data are about."""
    if recipe.invariant and not spec.rotation_invariant:
        raise SettingsError(
            f"recipe {recipe.name!r} gives one value for all turns of a picture, and here turning changes it",
            where="--recipe",
            expected="a recipe that is not invariant",
            got=f"rotation_invariant = false in {spec.name!r}",
            fix="analyte recipes lists which are invariant",
        )
    if aggregate == MONTAGE and len(spec.views) == 1:
        raise SettingsError(
            "a montage needs several views", where="--aggregate", got=f"view {spec.views[0]!r} only"
        )
    if aggregate == MONTAGE and recipe.invariant:
        raise SettingsError(
            f"recipe {recipe.name!r} would turn the montage about its own middle, where the views meet",
            where="--aggregate",
            expected=" | ".join(name for name in AGGREGATES if name != MONTAGE),
            got=MONTAGE,
            fix="For a montage take a recipe that is not invariant; analyte recipes lists which are",
        )


def _reference(spec: DatasetSpec, asked: str | None) -> str | None:
    if asked is None:
        return REFERENCE_VIEW if REFERENCE_VIEW in spec.views else None
    if asked == NO_REFERENCE:
        return None
    chosen = named("reference", asked, (*spec.views, NO_REFERENCE))
    if len(spec.views) == 1:
        raise SettingsError("a reference needs another view beside it", where="--reference", got=asked)
    return chosen
