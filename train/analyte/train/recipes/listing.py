"""What a recipe costs at a given size, measured on the network that would be saved."""

from __future__ import annotations

from dataclasses import dataclass

from analyte.contract.dataset import DatasetSpec
from analyte.train.cost import count_macs
from analyte.train.folding import fold
from analyte.train.network import NetworkInput, build_core
from analyte.train.recipes.recipe import Recipe
from analyte.train.settings import network_settings


@dataclass(frozen=True, slots=True)
class Cost:
    """What one network costs."""

    parameters: int
    """Number of weights of the saved model, as in ``run.json``."""
    macs: int
    """Multiply-accumulates of one sample, all views together, see `analyte.train.cost.count_macs`."""
    features: int
    """Length of the feature vector of one sample, all views together."""


def fits(recipe: Recipe, size: int) -> bool:
    """Say whether a recipe can be built for square pictures of edge ``size``, pixels."""
    return size % recipe.size_step == 0 and size >= recipe.min_size


def sizes(recipe: Recipe) -> str:
    """Return in words which edges of the picture a recipe takes."""
    least = f"at least {recipe.min_size} px"
    return least if recipe.size_step == 1 else f"a multiple of {recipe.size_step} px, {least}"


def recipe_cost(recipe: Recipe, size: int, views: int = 1) -> Cost:
    """Return the cost of one of the registry's recipes, with its own colours, head and hidden layer.

    ``size``: edge of the square picture, pixels, one that `fits`. ``views``: pictures of one sample.
    """
    names = tuple(f"view{number}" for number in range(1, views + 1))
    # Neither weights nor operations depend on what is measured.
    spec = DatasetSpec(name="any", analyte="any", unit="1", range=(0.0, 1.0), views=names)
    core = build_core(network_settings(spec, recipe=recipe.name), NetworkInput(spec.label, names, size))
    model = fold(core)
    return Cost(
        parameters=model.count_params(),
        macs=count_macs(model),
        features=int(model.output["features"].shape[-1]),
    )
