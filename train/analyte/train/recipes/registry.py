"""The recipes by name. A new one is a file beside this and a line here."""

from __future__ import annotations

from analyte.train.recipes import isotropic
from analyte.train.recipes.recipe import Recipe

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in (isotropic.RECIPE,)}
