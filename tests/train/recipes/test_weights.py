"""Weights from a file: taken over whole or refused with what was expected, and frozen where asked."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from analyte.contract.errors import InputError, SettingsError
from analyte.train.recipes.recipe import BACKBONE_LAYER
from analyte.train.recipes.weights import freeze_backbone, load_backbone_weights

L = keras.layers


def backbone(filters: int = 4, classes: int | None = None, name: str = BACKBONE_LAYER) -> keras.Model:
    """A small published network: 3 * 3 * 3 * filters + 4 * filters numbers in 5 arrays."""
    pictures = keras.Input((8, 8, 3))
    convolved = L.BatchNormalization()(L.Conv2D(filters, 3, use_bias=False)(pictures))
    features = L.GlobalAveragePooling2D()(L.ReLU()(convolved))
    return keras.Model(pictures, features if classes is None else L.Dense(classes)(features), name=name)


def network() -> keras.Model:
    pictures = keras.Input((8, 8, 3))
    return keras.Model(pictures, L.Dense(1, name="head")(backbone()(pictures)), name="transfer-tiny")


def published(filters: int = 4, classes: int | None = None) -> keras.Model:
    """A network as somebody else trained it."""
    model = backbone(filters, classes, name="published")
    rng = np.random.default_rng(5)
    model.set_weights([rng.uniform(0.5, 1.5, weights.shape) for weights in model.get_weights()])
    return model


def write_new(model: keras.Model, folder: Path) -> Path:
    path = folder / "net.weights.h5"
    model.save_weights(path)
    return path


def write_archive(model: keras.Model, folder: Path) -> Path:
    model.compile("adam", "mse")
    # Leaves the state of its training in the file too.
    model.fit(np.zeros((2, 8, 8, 3)), np.zeros((2, model.output_shape[-1])), verbose=0)
    path = folder / "net.keras"
    model.save(path)
    return path


def write_old_model(model: keras.Model, folder: Path) -> Path:
    path = folder / "net.h5"
    model.save(path)
    return path


def write_old_weights(model: keras.Model, folder: Path) -> Path:
    """As published with keras.applications: the same without the description of the network."""
    whole = write_old_model(model, folder)
    path = folder / "net_notop.h5"
    with h5py.File(whole) as old, h5py.File(path, "w") as new:
        group: Any = old["model_weights"]
        for name in group:
            group.copy(name, new)
        for name, attribute in group.attrs.items():
            new.attrs[name] = attribute
    return path


Writer = Callable[[keras.Model, Path], Path]
every_format = pytest.mark.parametrize(
    "write", [write_new, write_archive, write_old_model, write_old_weights]
)


@every_format
def test_taken_over(write: Writer, tmp_path: Path) -> None:
    source, core = published(), network()
    path = write(source, tmp_path)
    head = core.get_layer("head").get_weights()
    load_backbone_weights(core, path)
    taken = core.get_layer(BACKBONE_LAYER).get_weights()
    for found, expected in zip(taken, source.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)
    for found, expected in zip(core.get_layer("head").get_weights(), head, strict=True):
        np.testing.assert_array_equal(found, expected)


@every_format
def test_other_network(write: Writer, tmp_path: Path) -> None:
    path = write(published(filters=5), tmp_path)
    with pytest.raises(InputError) as error:
        load_backbone_weights(network(), path)
    assert error.value.exit_code == 3
    line = error.value.line()
    assert line.startswith(f"{path}: these weights do not fit the network of recipe 'transfer-tiny'")
    assert "expected 124 numbers in 5 arrays; got 155 numbers in 5 arrays" in line
    assert "include_top=False" in line


@pytest.mark.parametrize("write", [write_old_model, write_old_weights])
def test_with_its_classifier(write: Writer, tmp_path: Path) -> None:
    path = write(published(classes=10), tmp_path)
    told = "expected 124 numbers in 5 arrays; got 174 numbers in 7 arrays"
    with pytest.raises(InputError, match=told):
        load_backbone_weights(network(), path)


def test_as_many_numbers_in_another_order(tmp_path: Path) -> None:
    pictures = keras.Input((8, 8, 4))
    kernel = L.Conv2D(3, 3, use_bias=False)(pictures)
    # As many arrays and numbers, but the kernel is of four channels in and three out.
    joined = keras.Model(pictures, L.BatchNormalization()(L.Conv2D(4, 1, use_bias=False)(kernel)))
    target = keras.Input((8, 8, 4))
    narrow = L.Conv2D(3, 1, use_bias=False)(target)
    mirror = L.BatchNormalization()(L.Conv2D(4, 3, use_bias=False)(narrow))
    core = keras.Model(target, L.Dense(1)(keras.Model(target, mirror, name=BACKBONE_LAYER)(target)))
    assert joined.count_params() == core.get_layer(BACKBONE_LAYER).count_params()
    with pytest.raises(InputError, match="do not fit"):
        load_backbone_weights(core, write_new(joined, tmp_path))


@pytest.mark.parametrize("name", ["net.h5", "net.weights.h5", "net.keras", "net.hdf5"])
def test_no_such_file(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such file of weights; expected .*Keras 3"):
        load_backbone_weights(network(), tmp_path / name)


@pytest.mark.parametrize("name", ["net.h5", "net.weights.h5", "net.keras", "net.txt"])
def test_not_weights(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text("no weights", "utf-8")
    with pytest.raises(InputError, match="not a file of weights; expected") as error:
        load_backbone_weights(network(), path)
    assert "\n" not in error.value.line()


def test_archive_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "net.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "no weights")
    with pytest.raises(InputError, match=r"not a file of weights.*model\.weights\.h5"):
        load_backbone_weights(network(), path)


def test_hdf5_of_something_else(tmp_path: Path) -> None:
    for name in ("net.h5", "net.weights.h5"):
        with h5py.File(tmp_path / name, "w") as file:
            file["spectrum"] = np.zeros(7)
        with pytest.raises(InputError, match="got 7 numbers in 1 arrays"):
            load_backbone_weights(network(), tmp_path / name)


def test_recipe_without_a_backbone(tmp_path: Path) -> None:
    pictures = keras.Input((8, 8, 3))
    plain = keras.Model(pictures, L.GlobalAveragePooling2D()(pictures), name="vgg")
    with pytest.raises(SettingsError, match="recipe 'vgg' has no published network"):
        load_backbone_weights(plain, tmp_path / "net.h5")


class TestFreezing:
    """A step of training changes what it may change, and nothing else."""

    def changes(self, core: keras.Model) -> dict[str, bool]:
        """Train one step and return which weights changed, by path."""
        before = [keras.ops.convert_to_numpy(weight) for weight in core.weights]
        core.compile(keras.optimizers.SGD(0.1), "mse")
        rng = np.random.default_rng(0)
        core.fit(rng.uniform(size=(4, 8, 8, 3)), rng.uniform(size=(4, 1)), verbose=0)
        return {
            weight.path: bool((keras.ops.convert_to_numpy(weight) != old).any())
            for weight, old in zip(core.weights, before, strict=True)
        }

    def changed(self, core: keras.Model) -> set[str]:
        return {path.rpartition("/")[2] for path, moved in self.changes(core).items() if moved}

    def test_frozen(self) -> None:
        core = network()
        freeze_backbone(core, frozen=True)
        changes = self.changes(core)
        assert {path for path, moved in changes.items() if moved} == {"head/kernel", "head/bias"}

    def test_thawed_but_for_its_normalization(self) -> None:
        core = network()
        freeze_backbone(core, frozen=True)
        freeze_backbone(core, frozen=False)
        assert self.changed(core) == {"kernel", "bias"}
        assert any("conv2d" in path and moved for path, moved in self.changes(core).items())

    def test_from_the_start(self) -> None:
        """Without weights from a file everything is trained."""
        assert self.changed(network()) == {
            "kernel",
            "bias",
            "gamma",
            "beta",
            "moving_mean",
            "moving_variance",
        }

    def test_normalization_in_nested_blocks(self) -> None:
        block_in = keras.Input((6, 6, 4))
        block = keras.Model(block_in, L.BatchNormalization()(block_in), name="block")
        pictures = keras.Input((8, 8, 3))
        inner = keras.Model(
            pictures, L.GlobalAveragePooling2D()(block(L.Conv2D(4, 3)(pictures))), name=BACKBONE_LAYER
        )
        core = keras.Model(pictures, L.Dense(1, name="head")(inner(pictures)))
        freeze_backbone(core, frozen=False)
        assert self.changed(core) == {"kernel", "bias"}
