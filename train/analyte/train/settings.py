"""What a training is to do: every option in one place, checked against each other and the data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analyte.contract.dataset import DatasetSpec
from analyte.train.fitting import FitSettings
from analyte.train.label_scale import Transform
from analyte.train.network import NetworkSettings
from analyte.train.option_checks import DEFAULT_AGGREGATE, complete_network, name_problems, raise_all
from analyte.train.recipes.registry import RECIPES

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
    """Number of grouped folds to cross-validate on, or `analyte.train.folds.BY_SESSION`; None for none."""


def network_settings(
    spec: DatasetSpec, *, aggregate: str = DEFAULT_AGGREGATE, transform: Transform = "scale", **options: Any
) -> NetworkSettings:
    """Complete the settings of a network by those of its recipe and check them against the data.

    ``options``: recipe, colour, reference, head and loss, see `option_checks.complete_network`.
    Raises: SettingsError.
    """
    names, problems = complete_network(spec, aggregate=aggregate, transform=transform, **options)
    raise_all(problems)
    return NetworkSettings(
        recipe=RECIPES[names.recipe],
        colour=names.colour,
        reference=names.reference,
        aggregate=aggregate,
        head=names.head,
        loss=names.loss,
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
    raise_all(name_problems("augment", augment))
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
        augment=augment,
        weights=weights,
        folds=folds,
    )
