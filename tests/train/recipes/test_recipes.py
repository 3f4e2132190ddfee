"""Every recipe's trunk: sizes, features, gradients, and what its description implies."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from analyte.contract.arrays import Float32Array
from analyte.train.folding import to_stock
from analyte.train.recipes.recipe import Recipe
from analyte.train.recipes.registry import RECIPES

CHANNELS = 6
SMALL = [recipe for recipe in RECIPES.values() if not recipe.pretrained]
"""Those that are not somebody else's network."""
by_name = pytest.mark.parametrize("recipe", SMALL, ids=lambda recipe: recipe.name)


def trunk_model(recipe: Recipe, rows: int, columns: int | None = None) -> keras.Model:
    keras.utils.set_random_seed(0)
    pictures = keras.Input((rows, columns or rows, CHANNELS))
    return keras.Model(pictures, recipe.trunk(pictures))


def random_planes(shape: tuple[int, ...]) -> Float32Array:
    """Numbers in the range of colour planes, of pictures that differ in colour."""
    rng = np.random.default_rng(0)
    colours = rng.uniform(-1.5, 1.5, (shape[0], 1, 1, shape[-1]))
    return (colours + rng.uniform(-0.5, 0.5, shape)).astype(np.float32)


@by_name
def test_features_at_every_size(recipe: Recipe) -> None:
    """Also for one that halves badly, and for a montage, which is no square (invariant recipes get none)."""
    step, least = recipe.size_step, recipe.min_size
    awkward = (43 // step) * step
    montage = () if recipe.invariant else ((least, 2 * least),)
    for rows, columns in ((least, least), (awkward, awkward), *montage):
        features = trunk_model(recipe, rows, columns)(random_planes((3, rows, columns, CHANNELS)))
        assert features.dtype == "float32"
        assert features.shape[0] == 3
        assert len(features.shape) == 2
        assert np.isfinite(features).all()
        assert np.ptp(features, axis=0).max() > 0


@by_name
def test_largest_size_can_be_built(recipe: Recipe) -> None:
    size = 256 // recipe.size_step * recipe.size_step
    shape = trunk_model(recipe, size).output.shape
    assert len(shape) == 2
    assert shape[1] is not None


@by_name
def test_gradient_reaches_every_weight(recipe: Recipe) -> None:
    model = trunk_model(recipe, 16)
    pictures = random_planes((8, 16, 16, CHANNELS))
    with tf.GradientTape() as tape:
        features = model(pictures, training=True)
        loss = keras.ops.sum(keras.ops.multiply(features, random_weights(features.shape)))
    for weight, gradient in zip(
        model.trainable_variables, tape.gradient(loss, model.trainable_weights), strict=True
    ):
        assert gradient is not None, weight.path
        # A kernel whose taps are picked by index has a sparse one.
        assert np.abs(tf.convert_to_tensor(gradient)).max() > 0, weight.path


@by_name
def test_folded_trunk_is_stock_and_says_the_same(recipe: Recipe) -> None:
    model = trunk_model(recipe, 16)
    rng = np.random.default_rng(2)
    # Normalizations far from the identity, as after training.
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.7, 1.3, weight.shape) for weight in layer.get_weights()])
    stock = to_stock(model)
    assert {layer.__class__.__module__.partition(".")[0] for layer in stock.layers} == {"keras"}
    pictures = random_planes((4, 16, 16, CHANNELS))
    trained = keras.ops.convert_to_numpy(model(pictures, training=False))
    folded = keras.ops.convert_to_numpy(stock(pictures, training=False))
    np.testing.assert_allclose(folded, trained, rtol=0, atol=1e-5 * float(np.abs(trained).max()))


def random_weights(shape: Any) -> Float32Array:
    weights: Float32Array = np.random.default_rng(1).normal(size=tuple(shape)).astype(np.float32)
    return weights


@pytest.mark.parametrize(
    ("name", "size", "parameters"),
    [
        # Three 3x3 convolutions each to 32, 64 and 128 channels, 1x1 to 128 and to 32, and four numbers
        # of normalization for each channel.
        (
            "vgg",
            16,
            9 * (6 * 32 + 2 * 32**2 + 32 * 64 + 2 * 64**2 + 64 * 128 + 2 * 128**2)
            + 128 * 128 + 128 * 32 + 4 * (3 * (32 + 64 + 128) + 128 + 32),
        ),
        ("conv-gap", 16, 9 * (6 * 32 + 32 * 64 + 64 * 128) + 4 * (32 + 64 + 128)),
        ("bottleneck", 16, 9 * (6 * 32 + 32 * 16 + 16 * 32) + 4 * (32 + 16 + 32)),
        # Pooled to 8 px, whatever the size.
        ("conv-flatten", 64, 9 * (6 * 16 + 16 * 32 + 32 * 64) + 16 + 32 + 64 + 64 * (8 * 8 * 64 + 1)),
        # Layer i sees the six planes and two channels of each layer before it, and adds two.
        ("msd", 16, sum(9 * 2 * (6 + 2 * layer) + 2 for layer in range(20))),
        # Convolutions, dense layers of 16 and 4 units, and a normalization behind each but the last.
        (
            "cnn-16-32-64",
            64,
            9 * (6 * 16 + 16 * 32 + 32 * 64) + 16 + 32 + 64
            + 16 * (8 * 8 * 64 + 1) + 4 * (16 + 1) + 4 * (16 + 32 + 64 + 16),
        ),
    ],
)  # fmt: skip
def test_parameters(name: str, size: int, parameters: int) -> None:
    assert trunk_model(RECIPES[name], size).count_params() == parameters


def test_tutorial_network_is_used_as_published() -> None:
    recipe = RECIPES["cnn-16-32-64"]
    assert (recipe.colour, recipe.head, recipe.loss, recipe.hidden) == (("rgb",), "linear", "mape", 0)


def reach_px(recipe: Recipe, size: int) -> int:
    """Return how far from a pixel, along one axis, the trunk's last pictures still depend on it."""
    model = trunk_model(recipe, size)
    last = keras.Model(model.input, model.layers[-1].input)
    plain = np.full((1, size, size, CHANNELS), 0.5, np.float32)
    marked = plain.copy()
    marked[0, size // 2, size // 2] = 3.0
    changed = np.abs(last(marked) - last(plain)).max(axis=(0, 1, 3)) > 0
    return int(np.abs(np.flatnonzero(changed) - size // 2).max())


def test_mixed_scales_see_far_without_pooling() -> None:
    # The whole picture; twenty layers without dilation would see 20 px to either side.
    assert reach_px(RECIPES["msd"], 65) == 32
