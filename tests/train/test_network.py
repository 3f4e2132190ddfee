"""Networks put together from every part: under the graph contract, whatever they are made of."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from analyte.contract.dataset import DatasetSpec
from analyte.contract.run import graph_input, network_input
from analyte.train.aggregates import AGGREGATES
from analyte.train.folding import fold
from analyte.train.heads.registry import HEADS
from analyte.train.label_scale import TRANSFORMS
from analyte.train.network import CovariateInput, NetworkInput, build_core
from analyte.train.settings import network_settings
from train.tiny_studies import random_pictures

SIZE = 16
COVARIATES = CovariateInput(means=(20.0, 1000.0), deviations=(2.0, 300.0), categories=(3,))


def network(views: int = 1, covariates: CovariateInput | None = None, **options: Any) -> keras.Model:
    names = ("reference", "sample", "other", "last")[:views] if views > 1 else ("sample",)
    spec = DatasetSpec(name="d", analyte="a", unit="u", range=(5.0, 80.0), views=names)
    takes = NetworkInput(spec.label, names, SIZE, covariates or CovariateInput())
    keras.utils.set_random_seed(0)
    return build_core(network_settings(spec, **options), takes)


def check_contract(core: keras.Model, views: int, columns: int = 0) -> None:
    """The folded network takes and gives what `analyte.contract.run` says, the same as the trained one."""
    rng = np.random.default_rng(0)
    row = np.stack([rng.normal(20, 2, 5), rng.normal(1000, 300, 5), [0, 1, 2, 0, -1]], axis=1)
    covariates = row[:, :columns].astype(np.float32)
    given = network_input(random_pictures(5, views, size=SIZE), covariates)
    folded = fold(core)
    out = {name: keras.ops.convert_to_numpy(value) for name, value in folded(given, training=False).items()}
    assert set(out) == {"value", "sigma", "features"}
    assert {name: value.dtype for name, value in out.items()} == dict.fromkeys(out, np.dtype("float32"))
    assert out["value"].shape == out["sigma"].shape == (5,)
    assert out["features"].ndim == 2
    assert all(np.isfinite(value).all() for value in out.values())
    assert (out["sigma"] > 0).all()
    trained = keras.ops.convert_to_numpy(core(given, training=False)["value"])
    # Untrained, under a logarithm, values lie far beyond the range: there only digits can agree.
    np.testing.assert_allclose(out["value"], trained, rtol=1e-4, atol=1e-5 * 75.0)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_heads_and_transforms(head: str, transform: str) -> None:
    check_contract(network(head=head, transform=transform), 1)


@pytest.mark.parametrize("bounds", [(0.1, 0.7), (0.0, 0.3), (5.0, 80.0)])
@pytest.mark.parametrize("transform", ["scale", "log"])
def test_bounded_stays_in_the_range_to_the_last_digit(bounds: tuple[float, float], transform: str) -> None:
    """Rounding on the way back to the label's unit would make a device say: out of range."""
    spec = DatasetSpec(name="d", analyte="a", unit="u", range=bounds)
    keras.utils.set_random_seed(0)
    settings = network_settings(spec, head="bounded", transform=transform)  # type: ignore[arg-type]
    core = build_core(settings, NetworkInput(spec.label, spec.views, SIZE))
    layer = core.get_layer("head_value")
    for bias in (-60.0, 60.0):
        kernel, _ = layer.get_weights()
        layer.set_weights([kernel * 0.0, np.array([bias], np.float32)])
        pictures = graph_input(random_pictures(3, 1, size=SIZE))
        value = keras.ops.convert_to_numpy(core(pictures, training=False)["value"]).astype(np.float64)
        assert bounds[0] <= value.min() <= value.max() <= bounds[1]
        assert abs(value - bounds[bias > 0]).max() < 1e-5 * bounds[1]


@pytest.mark.parametrize("name", AGGREGATES)
@pytest.mark.parametrize("views", [2, 4])
def test_aggregates(name: str, views: int) -> None:
    core = network(views, aggregate=name, recipe="vgg")
    check_contract(core, views)
    # The trunk ends at the features; how views are joined is up to the float head. A montage is one picture.
    width, of_one = (net.output["features"].shape[1] for net in (core, network(recipe="vgg")))
    assert width == (of_one if name == "montage" else of_one * views)


def test_covariates_enter_behind_the_features() -> None:
    core = network(covariates=COVARIATES)
    assert set(core.input) == {"image", "covariates"}
    check_contract(core, 1, columns=3)
    pictures = graph_input(random_pictures(1, 1, size=SIZE))
    outs = [
        core({"image": pictures, "covariates": np.array([row], np.float32)}, training=False)
        for row in ([20, 1000, 0], [26, 1000, 0], [20, 1000, 2])
    ]
    values = [float(out["value"][0]) for out in outs]
    assert len(set(values)) == 3
    for out in outs[1:]:
        np.testing.assert_array_equal(out["features"], outs[0]["features"])


def test_an_unknown_category_is_none_of_the_known() -> None:
    """Index -1 switches every category off instead of counting as one of them."""
    core = network(covariates=COVARIATES)
    pictures = graph_input(random_pictures(1, 1, size=SIZE))
    values = {
        index: float(
            core({"image": pictures, "covariates": np.array([[20, 1000, index]], np.float32)})["value"][0]
        )
        for index in (-1, 0, 1, 2)
    }
    assert len(set(values.values())) == 4


@pytest.mark.parametrize("recipe", ["isotropic", "conv-flatten"])
def test_covariates_also_reach_the_head_straight(recipe: str) -> None:
    """With every rectifier behind the features silent, the value still is linear in a covariate."""
    core = network(recipe=recipe, head="linear", transform="none", covariates=COVARIATES)
    for layer in core.layers:
        if layer.name in {"covariate_hidden", "head_hidden"}:
            layer.set_weights([np.zeros_like(weights) for weights in layer.get_weights()])
    pictures = graph_input(np.repeat(random_pictures(1, 1, size=SIZE), 4, axis=0))
    rows = np.array([[18, 1000, 0], [20, 1000, 0], [22, 1000, 0], [20, 1000, 1]], np.float32)
    value = core({"image": pictures, "covariates": rows}, training=False)["value"]
    low, middle, high, other = keras.ops.convert_to_numpy(value).astype(float)
    assert abs(high - low) > 1e-2
    assert middle == pytest.approx((low + high) / 2.0, abs=1e-4)
    assert abs(other - middle) > 1e-2
