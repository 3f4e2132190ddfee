"""The recipes by name. A new one is a file beside this and a line here."""

from __future__ import annotations

from analyte.train.recipes import (
    bottleneck,
    cnn_16_32_64,
    conv_flatten,
    conv_gap,
    inception_small,
    isotropic,
    isotropic_wide,
    msd,
    p4m,
    resnet_small,
    steerable,
    transfer,
    vgg,
)
from analyte.train.recipes.recipe import Recipe

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        isotropic.RECIPE,
        isotropic_wide.RECIPE,
        p4m.RECIPE,
        steerable.RECIPE,
        vgg.RECIPE,
        conv_flatten.RECIPE,
        conv_gap.RECIPE,
        bottleneck.RECIPE,
        inception_small.RECIPE,
        resnet_small.RECIPE,
        msd.RECIPE,
        cnn_16_32_64.RECIPE,
        *transfer.RECIPES,
    )
}
