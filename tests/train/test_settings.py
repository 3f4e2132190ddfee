"""Settings: completed by the recipe, refused where they contradict each other or the data."""

from __future__ import annotations

from typing import Any

import pytest

from analyte.contract.dataset import DatasetSpec
from analyte.contract.errors import SettingsError
from analyte.train.heads.registry import HEADS
from analyte.train.recipes.registry import RECIPES
from analyte.train.settings import network_settings, train_settings


def spec(**options: Any) -> DatasetSpec:
    return DatasetSpec(**{"name": "d", "analyte": "a", "unit": "u", "range": (0.0, 1.0), **options})


@pytest.mark.parametrize("recipe", RECIPES)
def test_defaults_are_those_of_the_recipe(recipe: str) -> None:
    settings = train_settings(spec(), recipe=recipe)
    network, chosen = settings.network, RECIPES[recipe]
    assert (network.recipe, network.colour, network.head) == (chosen, chosen.colour, chosen.head)
    assert network.loss == (chosen.loss or HEADS[chosen.head].losses[0])
    assert settings.fit.learning_rate == chosen.learning_rate
    assert (network.reference, network.aggregate, network.transform) == (None, "concat", "scale")


def test_head_of_ones_own_takes_its_own_loss() -> None:
    """The recipe's loss belongs to the recipe's head."""
    assert network_settings(spec(), recipe="cnn-16-32-64").loss == "mape"
    assert network_settings(spec(), recipe="cnn-16-32-64", head="histogram").loss == "cross-entropy"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"recipe": "izotropic"}, "no such recipe"),
        ({"colour": "rgb+cmyk"}, "no such colour"),
        ({"colour": ""}, "no such colour"),
        ({"head": "softmax"}, "no such head"),
        ({"head": "histogram", "loss": "mse"}, "the loss does not go with head 'histogram'"),
        ({"loss": "mse"}, "expected cross-entropy; got mse"),
        ({"aggregate": "sum"}, "no such aggregate"),
        ({"aggregate": "montage"}, "a montage needs several views"),
        ({"transform": "sqrt"}, "no such transform"),
        ({"reference": "blank"}, "no such reference"),
        ({"reference": "sample"}, "needs another view"),
        ({"augment": "studio"}, r"no such augment.*lab"),
    ],
)
def test_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        train_settings(spec(), **options)
    assert caught.value.exit_code == 2


def test_invariant_recipe_on_data_that_turning_changes() -> None:
    with pytest.raises(SettingsError, match="gives one value for all turns"):
        network_settings(spec(rotation_invariant=False))
    assert network_settings(spec(rotation_invariant=False), recipe="vgg").recipe.name == "vgg"


def test_a_montage_does_not_turn_as_one_picture() -> None:
    views = spec(views=("front", "back"))
    with pytest.raises(SettingsError, match=r"where the views meet.*expected concat"):
        network_settings(views, aggregate="montage")
    assert network_settings(views, aggregate="montage", recipe="cnn-16-32-64").aggregate == "montage"


def test_reference_view() -> None:
    """The view of that name, another one, or none."""
    views = ("reference", "blank", "sample")
    assert network_settings(spec(views=views)).reference == "reference"
    assert network_settings(spec(views=views), reference="blank").reference == "blank"
    assert network_settings(spec(views=views), reference="none").reference is None
    assert network_settings(spec(views=("blank", "sample"))).reference is None


def test_absorbance_needs_something_to_compare_with() -> None:
    """Against the picture's own mean it would hold the specimen itself."""
    assert network_settings(spec()).colour == ("rgb", "surround")
    views = spec(views=("reference", "sample"))
    assert network_settings(views).colour == ("rgb", "surround", "absorbance")
    assert network_settings(views, reference="none").colour == ("rgb", "surround")
    assert network_settings(views, colour="grey").colour == ("grey",)
    # Published networks take three channels.
    assert network_settings(views, recipe="transfer-mobilenetv2").colour == ("rgb",)


def test_patience_is_half_of_the_epochs() -> None:
    assert train_settings(spec(), epochs=40).fit.patience == 20
    assert train_settings(spec(), epochs=40, patience=3).fit.patience == 3


def test_a_reference_that_nothing_compares_with() -> None:
    views = spec(views=("blank", "sample"))
    with pytest.raises(SettingsError, match="no colour plane compares with the reference"):
        network_settings(views, reference="blank", colour="rgb+surround")
    with pytest.raises(SettingsError, match="no colour plane compares with the reference"):
        network_settings(views, reference="blank", recipe="cnn-16-32-64")
    assert network_settings(views, reference="blank", colour="rgb+ratio").reference == "blank"
