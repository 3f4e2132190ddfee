"""Published networks as trunks: given what they were published with, and never downloaded."""

from __future__ import annotations

import socket
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from analyte.contract.arrays import Float32Array
from analyte.contract.errors import SettingsError
from analyte.train.folding import to_stock
from analyte.train.recipes.recipe import BACKBONE_LAYER
from analyte.train.recipes.registry import RECIPES

SIZE = 32
APPLICATIONS: dict[str, tuple[str, str]] = {
    "transfer-resnet50": ("ResNet50", "resnet"),
    "transfer-vgg16": ("VGG16", "vgg16"),
    "transfer-mobilenetv2": ("MobileNetV2", "mobilenet_v2"),
    "transfer-mobilenetv3": ("MobileNetV3Small", "mobilenet_v3"),
}
"""Network and module of its preprocessing in `keras.applications`."""


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("something is being downloaded")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def trunk_model(name: str) -> keras.Model:
    recipe = RECIPES[name]
    assert recipe.colour == ("rgb",)
    keras.utils.set_random_seed(0)
    plane = keras.Input((recipe.min_size, recipe.min_size, 3))
    return keras.Model(plane, recipe.trunk(plane))


def photographs() -> Float32Array:
    """Bytes as floats, ``[2, SIZE, SIZE, 3]``, RGB, of a different mean in every channel."""
    rng = np.random.default_rng(0)
    return (rng.integers(0, 256, (2, SIZE, SIZE, 3)) * np.array([1.0, 0.6, 0.3])).astype(np.float32)


def plane_of(pixels: Float32Array) -> Float32Array:
    """The colour plane "rgb" of photographs."""
    plane: Float32Array = (pixels / 255.0 * 4.0 - 2.0).astype(np.float32)
    return plane


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name == "transfer-resnet50" else ())
        for name in APPLICATIONS
    ],
)
def test_is_given_what_it_was_published_with(name: str) -> None:
    """The trunk says of a photograph what the application says of it after its own preprocessing."""
    network, module = APPLICATIONS[name]
    trunk = trunk_model(name)
    reference = getattr(keras.applications, network)(
        include_top=False, weights=None, input_shape=(SIZE, SIZE, 3), pooling="avg"
    )
    # Larger than they are at random, where the first of many layers hardly counts.
    weights = [weight * 1.5 for weight in trunk.get_layer(BACKBONE_LAYER).get_weights()]
    trunk.get_layer(BACKBONE_LAYER).set_weights(weights)
    reference.set_weights(weights)
    pixels = photographs()
    prepared = getattr(keras.applications, module).preprocess_input(pixels.copy())
    expected = keras.ops.convert_to_numpy(reference(prepared))
    found = keras.ops.convert_to_numpy(trunk(plane_of(pixels)))
    assert expected.std() > 0
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3 * float(np.abs(expected).max()))


def test_gradient_reaches_the_backbone() -> None:
    trunk = trunk_model("transfer-mobilenetv3")
    with tf.GradientTape() as tape:
        loss = keras.ops.sum(trunk(plane_of(photographs()), training=True))
    weights = trunk.get_layer(BACKBONE_LAYER).trainable_weights
    assert weights
    assert not [gradient for gradient in tape.gradient(loss, weights) if gradient is None]


def test_efficientnet_is_given_what_it_was_published_with() -> None:
    """With the mean and "variance" of the published weights, the stem sees standardized intensities.

    So it does once the network is folded.
    """
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    trunk = trunk_model("transfer-efficientnet")
    standardization(trunk).load_own_variables({"0": mean, "1": deviation, "2": np.array(0)})
    pixels = photographs()
    for model in (trunk, to_stock(trunk)):
        stem = keras.Model(model.get_layer(BACKBONE_LAYER).input, standardization(model).output)
        given = keras.Model(model.input, model.layers[-2].output)
        found = keras.ops.convert_to_numpy(stem(given(plane_of(pixels))))
        np.testing.assert_allclose(found, (pixels / 255.0 - mean) / deviation, atol=1e-4)


def standardization(trunk: keras.Model) -> keras.layers.Normalization:
    layers = trunk.get_layer(BACKBONE_LAYER).layers
    return next(layer for layer in layers if isinstance(layer, keras.layers.Normalization))


def test_other_colours_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"--colour.*expected rgb; got planes of 6 channels"):
        RECIPES["transfer-vgg16"].trunk(keras.Input((SIZE, SIZE, 6)))


def test_montage() -> None:
    """Tiles of several views are no square."""
    features = RECIPES["transfer-vgg16"].trunk(keras.Input((SIZE, 2 * SIZE, 3)))
    assert features.shape == (None, 512)
