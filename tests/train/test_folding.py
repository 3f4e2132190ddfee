"""Folding: the saved network says what the trained one said, and needs nothing but Keras."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from analyte.contract.arrays import Float32Array
from analyte.train.folding import fold, to_stock
from analyte.train.layers.group import GroupNormalization2D
from analyte.train.layers.spread import OrbitConv2D
from analyte.train.recipes.registry import RECIPES

CHANNELS = 6
SIZE = 16
EQUIVARIANT = [name for name, recipe in RECIPES.items() if recipe.invariant]
TOLERANCE = 1e-5
"""Relative to the largest number: float32 products of folded and of unfolded weights."""


def pictures(count: int, seed: int = 0) -> Float32Array:
    """Planes of pictures that differ in colour, ``[N, S, S, C]``."""
    rng = np.random.default_rng(seed)
    colours = rng.uniform(-1.5, 1.5, (count, 1, 1, CHANNELS))
    return (colours + rng.normal(0.0, 0.5, (count, SIZE, SIZE, CHANNELS))).astype(np.float32)


def trained(model: keras.Model) -> keras.Model:
    """Fit anything for a few steps, so that no normalization is the identity any more."""
    model.compile(keras.optimizers.Adam(1e-2), "mse")
    targets = np.random.default_rng(1).normal(size=(32, *model.output.shape[1:])).astype(np.float32)
    model.fit(pictures(32), targets, batch_size=8, epochs=2, verbose=0)
    return model


def of_recipe(name: str) -> keras.Model:
    keras.utils.set_random_seed(0)
    planes = keras.Input((SIZE, SIZE, CHANNELS))
    return trained(keras.Model(planes, RECIPES[name].trunk(planes), name="trunk"))


@pytest.fixture(scope="module", name="pairs")
def _pairs() -> dict[str, tuple[keras.Model, keras.Model]]:
    """The trained and the folded trunk of every recipe whose layers are not all stock ones."""
    cores = {name: of_recipe(name) for name in EQUIVARIANT}
    return {name: (core, to_stock(core)) for name, core in cores.items()}


def assert_same(plain: keras.Model, core: keras.Model) -> None:
    fresh = pictures(16, seed=2)
    expected, found = (keras.ops.convert_to_numpy(model(fresh, training=False)) for model in (core, plain))
    assert np.ptp(expected, axis=0).max() > 1e-2
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE * float(np.abs(expected).max()))


@pytest.mark.parametrize("recipe", EQUIVARIANT)
def test_folding_changes_no_feature(recipe: str, pairs: dict[str, tuple[keras.Model, keras.Model]]) -> None:
    core, plain = pairs[recipe]
    assert_same(plain, core)


@pytest.mark.parametrize("recipe", EQUIVARIANT)
def test_folding_leaves_no_normalization(
    recipe: str, pairs: dict[str, tuple[keras.Model, keras.Model]]
) -> None:
    kinds = {type(layer) for layer in pairs[recipe][1].layers}
    assert {kind.__module__.partition(".")[0] for kind in kinds} == {"keras"}
    assert keras.layers.BatchNormalization not in kinds


def test_saved_models_need_plain_keras_alone(
    pairs: dict[str, tuple[keras.Model, keras.Model]], tmp_path: Path
) -> None:
    """In a process that cannot import analyte."""
    fresh = pictures(4, seed=3)
    np.save(tmp_path / "pictures.npy", fresh)
    for name, (_, plain) in pairs.items():
        plain.save(tmp_path / f"{name}.keras")
    script = (
        "import sys\n"
        "sys.modules['analyte'] = None\n"
        "import keras, numpy as np\n"
        "pictures = np.load('pictures.npy')\n"
        "for name in sys.argv[1:]:\n"
        "    model = keras.saving.load_model(name + '.keras')\n"
        "    np.save(name + '.npy', keras.ops.convert_to_numpy(model(pictures)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *pairs],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    for name, (_, plain) in pairs.items():
        expected = keras.ops.convert_to_numpy(plain(fresh))
        np.testing.assert_allclose(np.load(tmp_path / f"{name}.npy"), expected, rtol=1e-5, atol=1e-6)


Build = Callable[[Any], Any]
layers = keras.layers


def _plain(x: Any) -> Any:
    x = layers.BatchNormalization(scale=False)(layers.Conv2D(8, 3, strides=2)(x))
    x = layers.BatchNormalization(center=False)(layers.DepthwiseConv2D(3, depth_multiplier=2)(x))
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(x))
    return layers.BatchNormalization()(layers.Dense(5, use_bias=False)(x))


def _nested(x: Any) -> Any:
    inside = keras.Input((SIZE, SIZE, CHANNELS))
    y = layers.BatchNormalization()(layers.Conv2D(8, 3, use_bias=False)(inside))
    backbone = keras.Model(inside, layers.ReLU()(y), name="backbone")
    return layers.GlobalAveragePooling2D()(backbone(layers.ReLU()(x)))


@pytest.mark.parametrize(
    ("build", "inside"), [(_plain, None), (_nested, "backbone")], ids=["plain", "nested"]
)
def test_stock_layers_take_their_normalization(build: Build, inside: str | None) -> None:
    planes = keras.Input((SIZE, SIZE, CHANNELS))
    core = trained(keras.Model(planes, build(planes)))
    plain = to_stock(core)
    assert_same(plain, core)
    model = plain.get_layer(inside) if inside else plain
    assert not [x for x in model.layers if isinstance(x, layers.BatchNormalization)]


def _activated(x: Any) -> Any:
    return layers.BatchNormalization()(layers.Conv2D(4, 3, activation="relu")(x))


def _alone(x: Any) -> Any:
    return layers.Conv2D(4, 3)(layers.BatchNormalization()(x))


def _branched(x: Any) -> Any:
    once = layers.Conv2D(4, 3)(x)
    return layers.Add()([once, layers.BatchNormalization()(once)])


def _shared(x: Any) -> Any:
    convolution = layers.Conv2D(CHANNELS, 3, padding="same")
    return convolution(layers.BatchNormalization()(convolution(x)))


def _over_rows(x: Any) -> Any:
    return layers.BatchNormalization(axis=1)(layers.Conv2D(4, 3)(x))


@pytest.mark.parametrize("build", [_activated, _alone, _branched, _shared, _over_rows])
def test_normalization_stays_where_folding_would_be_wrong(build: Build) -> None:
    planes = keras.Input((SIZE, SIZE, CHANNELS))
    core = trained(keras.Model(planes, layers.GlobalAveragePooling2D()(build(planes))))
    plain = to_stock(core)
    assert_same(plain, core)
    assert [x for x in plain.layers if isinstance(x, layers.BatchNormalization)]


def test_normalization_without_its_convolution_is_refused() -> None:
    planes = keras.Input((SIZE, SIZE, 8))
    model = keras.Model(planes, GroupNormalization2D()(layers.ReLU()(planes)))
    with pytest.raises(TypeError, match="must directly follow a convolution"):
        to_stock(model)


def test_folded_network_keeps_the_outputs_of_the_contract_alone() -> None:
    planes = keras.Input((SIZE, SIZE, CHANNELS))
    features = layers.GlobalAveragePooling2D()(OrbitConv2D(4)(planes))
    outputs = {name: layers.Dense(1)(features) for name in ("fitted", "value", "sigma", "features")}
    folded = fold(keras.Model(planes, outputs))
    assert set(folded.output) == {"value", "sigma", "features"}
