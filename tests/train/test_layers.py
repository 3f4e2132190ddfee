"""Orbit-shared convolutions: equal under the symmetries of the square, and plain once they are folded."""

from __future__ import annotations

import math
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from analyte.contract.arrays import UInt8Array
from analyte.contract.label import LabelSpec
from analyte.contract.run import graph_input
from analyte.train.folding import fold
from analyte.train.layers import OrbitConv2D, orbit_index
from analyte.train.network import build_core
from analyte.train.recipes.registry import RECIPES
from train.tiny_studies import random_pictures, symmetries

LABEL = LabelSpec(analyte="dye", unit="mg/L", range=(0.0, 10.0))


@pytest.mark.parametrize(("size", "orbits"), [(1, 1), (3, 3), (5, 6), (7, 10)])
def test_orbits(size: int, orbits: int) -> None:
    table, found = orbit_index(size)
    assert (table.shape, found) == ((size, size, orbits), orbits)
    # Every tap belongs to one orbit, and every orbit is whole.
    np.testing.assert_array_equal(table.sum(axis=2), np.ones((size, size)))
    for turned in (np.rot90(table), table[::-1], table[:, ::-1], table.transpose(1, 0, 2)):
        np.testing.assert_array_equal(turned, table)
    # No two orbits could be told apart by less: each tap's orbit is its images under the eight symmetries.
    half = size // 2
    squares = {(abs(r), abs(c)) for r in range(-half, half + 1) for c in range(-half, half + 1)}
    assert orbits == len({tuple(sorted(pair)) for pair in squares})


def test_orbits_of_a_3x3_kernel() -> None:
    table, _ = orbit_index(3)
    assert sorted(table.sum(axis=(0, 1)).tolist()) == [1, 4, 4]


def test_even_kernels_have_no_centre() -> None:
    with pytest.raises(ValueError, match="odd size, got 4"):
        orbit_index(4)


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("symmetry", range(8))
def test_convolution_commutes(kernel: int, symmetry: int) -> None:
    """Convolving a turned picture is turning the convolved picture."""
    keras.utils.set_random_seed(kernel)
    layer = OrbitConv2D(4, kernel)
    pictures = np.random.default_rng(0).normal(size=(2, 1, 10, 10, 3)).astype(np.float32)

    def convolve(images: np.ndarray) -> np.ndarray:
        return keras.ops.convert_to_numpy(layer(images[:, 0]))[:, np.newaxis]

    after = symmetries_of(convolve(pictures))[symmetry]
    before = convolve(symmetries_of(pictures)[symmetry])
    # The same nine or twenty-five products summed in another order.
    np.testing.assert_allclose(before, after, atol=1e-5)
    assert np.abs(after).max() > 0.1


def symmetries_of(images: np.ndarray) -> list[np.ndarray]:
    return [np.asarray(turned) for turned in symmetries(images)]


def test_layer_survives_its_config() -> None:
    copy = OrbitConv2D.from_config(OrbitConv2D(7, 5, name="x").get_config())
    assert (copy.filters, copy.kernel_size, copy.name) == (7, 5, "x")


def trained_core(recipe: str, views: tuple[str, ...], size: int) -> keras.Model:
    """A network whose normalization is far from the identity, as after training."""
    keras.utils.set_random_seed(0)
    core = build_core(RECIPES[recipe], LABEL, views, size)
    rng = np.random.default_rng(0)
    for layer in core.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            layer.set_weights(
                [
                    rng.uniform(0.7, 1.2, gamma.shape),
                    rng.normal(0.0, 0.2, beta.shape),
                    rng.normal(0.0, 0.2, mean.shape),
                    rng.uniform(0.7, 2.0, variance.shape),
                ]
            )
    return core


def contrasting_pictures(views: int, size: int) -> UInt8Array:
    """Noise of six different colours: an untrained network tells them apart."""
    gains = np.random.default_rng(1).uniform(0.1, 1.0, (6, views, 1, 1, 3))
    pictures: UInt8Array = (random_pictures(6, views, size=size) * gains).astype(np.uint8)
    return pictures


@pytest.mark.parametrize("views", [("sample",), ("reference", "sample"), ("a", "b", "c")])
@pytest.mark.parametrize("recipe", RECIPES)
def test_folding_changes_no_value(recipe: str, views: tuple[str, ...]) -> None:
    size = 2 * RECIPES[recipe].size_step
    core = trained_core(recipe, views, size)
    folded = fold(core)
    pictures = graph_input(contrasting_pictures(len(views), size))
    trained, plain = (model(pictures, training=False) for model in (core, folded))
    assert set(plain) == {"value", "sigma", "features"}
    values = keras.ops.convert_to_numpy(trained["value"])
    assert np.ptp(values) > 1e-3 * LABEL.span
    # Float32 products of folded and of unfolded weights: a millionth of the range, ten times that allowed.
    np.testing.assert_allclose(plain["value"], values, rtol=0, atol=1e-5 * LABEL.span)
    np.testing.assert_allclose(plain["sigma"], trained["sigma"], rtol=0, atol=1e-5 * LABEL.span)
    features = keras.ops.convert_to_numpy(trained["features"])
    np.testing.assert_allclose(plain["features"], features, rtol=0, atol=1e-4 * float(features.std()))


def test_folding_leaves_only_stock_layers_and_no_normalization() -> None:
    folded = fold(trained_core("isotropic", ("sample",), 16))
    assert {layer.__class__.__module__.partition(".")[0] for layer in folded.layers} == {"keras"}
    assert not [layer for layer in folded.layers if isinstance(layer, keras.layers.BatchNormalization)]


@pytest.mark.parametrize("size", [16, 24, 64])
@pytest.mark.parametrize("recipe", RECIPES)
def test_invariant_by_architecture(recipe: str, size: int) -> None:
    """Without any training, for every size that the recipe may be given."""
    if not RECIPES[recipe].invariant:
        pytest.skip("the recipe does not promise it")
    core = trained_core(recipe, ("sample",), size)
    values: list[np.ndarray] = []
    features: list[np.ndarray] = []
    for pictures in symmetries(contrasting_pictures(1, size)):
        out = core(pictures[:, 0], training=False)
        values.append(keras.ops.convert_to_numpy(out["value"]))
        features.append(keras.ops.convert_to_numpy(out["features"]))
    assert float(np.abs(np.stack(values) - values[0]).max()) <= 1e-5 * LABEL.span
    assert float(np.abs(np.stack(features) - features[0]).max()) <= 1e-5 * float(np.abs(features[0]).max())
    # A network that says the same of everything would be invariant too.
    assert np.ptp(values[0]) > 1e-3 * LABEL.span


def test_saved_model_needs_plain_keras_alone(one_view_run: Path, tmp_path: Path) -> None:
    """In a process that never imports analyte."""
    script = (
        "import sys, json, keras, numpy as np\n"
        "model = keras.saving.load_model(sys.argv[1])\n"
        "out = model(np.load(sys.argv[2])['val_images'][:5, 0])\n"
        "assert not [m for m in sys.modules if m.startswith('analyte.')]\n"
        "print(json.dumps([float(v) for v in out['value']]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(one_view_run / "model.keras"), str(one_view_run / "samples.npz")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    values = np.array(done.stdout.strip().splitlines()[-1].strip("[]").split(", "), float)
    with np.load(one_view_run / "samples.npz") as samples:
        true = samples["val_values"][:5]
    assert all(math.isfinite(value) for value in values)
    assert np.corrcoef(values, true)[0, 1] > 0.9
    with zipfile.ZipFile(one_view_run / "model.keras") as archive:
        assert "analyte>" not in archive.read("config.json").decode()
