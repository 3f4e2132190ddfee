"""Photographs of a liquid column in a tube, and networks that read its height without analyte's help."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from analyte.contract.arrays import Float32Array, Float64Array, UInt8Array
from analyte.contract.imaging import read_image

SIZE = 64
SESSIONS = 16
UNIT = "mL"
_VAL, _TEST = ("day-14", "day-15"), ("day-16",)


def picture(value: float, random: np.random.Generator) -> UInt8Array:
    """Return a tube filled to ``value`` (0 to 100 mL): uint8 ``[SIZE, SIZE, 3]``, BGR."""
    image = np.full((SIZE, SIZE, 3), random.integers(170, 230), np.float64)
    left = int(random.integers(16, 24))
    right = left + int(random.integers(20, 26))
    top = round((0.92 - 0.84 * value / 100.0) * SIZE)
    image[:, left:right] -= 25.0
    image[top:, left:right] = (150.0, 60.0, random.integers(20, 60))
    image += random.normal(0.0, 4.0, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


def write_tubes(folder: Path, samples: int, *, seed: int = 0) -> Path:
    """Write a dataset of several days, of which two are ``val`` and one is ``test``."""
    random = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "value", "group", "session", "split"))
        for index in range(samples):
            value = round(float(random.uniform(0.0, 100.0)), 2)
            session = f"day-{index % SESSIONS + 1:02d}"
            name = f"images/{index:04d}.png"
            cv2.imwrite(str(folder / name), picture(value, random))
            split = "val" if session in _VAL else "test" if session in _TEST else "train"
            writer.writerow((name, value, f"tube-{index}", session, split))
    (folder / "dataset.toml").write_text(
        f'name = "tubes"\nanalyte = "volume"\nunit = "{UNIT}"\nrange = [0.0, 100.0]\n'
        'rotation_invariant = false\nlicence = "CC0-1.0"\n'
    )
    return folder


def train_arrays(folder: Path) -> tuple[Float32Array, Float64Array]:
    """Return training pictures, float32 ``[N, SIZE, SIZE, 3]``, RGB, 0 to 255, and their values ``[N]``."""
    with (folder / "labels.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "train"]
    pictures = [read_image(folder / row["path"])[:, :, ::-1] for row in rows]
    return np.stack(pictures).astype(np.float32), np.array([float(row["value"]) for row in rows])


def mobilenet(folder: Path, epochs: int) -> Any:
    """Return a MobileNetV2 regressor as its owner would write one: pixels from -1 to 1, value in mL."""
    import keras

    keras.utils.set_random_seed(0)
    trunk = keras.applications.MobileNetV2((SIZE, SIZE, 3), alpha=0.35, include_top=False, weights=None)
    for layer in trunk.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9  # the default forgets too slowly for so few steps
    model = keras.Sequential(
        [trunk, keras.layers.GlobalAveragePooling2D(), keras.layers.Dropout(0.1), keras.layers.Dense(1)]
    )
    images, values = train_arrays(folder)
    steps = epochs * (len(images) // 32)
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps)), "mse")
    model.fit(images / 127.5 - 1.0, values / 50.0 - 1.0, epochs=epochs, batch_size=32, verbose=0)
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([kernel * 50.0, bias * 50.0 + 50.0])
    return model


def small_network(folder: Path) -> Any:
    """Return a small regressor of a nested trunk and a dense tail: pixels from 0 to 1, value in mL."""
    import keras

    keras.utils.set_random_seed(1)
    trunk = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            keras.layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="first"),
            keras.layers.BatchNormalization(momentum=0.8),
            keras.layers.ReLU(),
            keras.layers.Conv2D(12, 3, strides=2, padding="same", name="second"),
            keras.layers.ReLU(),
            keras.layers.AveragePooling2D(2),
        ],
        name="trunk",
    )
    image = keras.Input((SIZE, SIZE, 3), name="photograph")
    hidden = keras.layers.Dense(16, activation="relu", name="hidden")(keras.layers.Flatten()(trunk(image)))
    model = keras.Model(image, keras.layers.Dense(1, name="reading")(keras.layers.Dropout(0.1)(hidden)))
    images, values = train_arrays(folder)
    model.compile(keras.optimizers.Adam(3e-3), "mse")
    model.fit(images / 255.0, values / 50.0 - 1.0, epochs=12, batch_size=32, verbose=0)
    kernel, bias = model.layers[-1].get_weights()
    model.layers[-1].set_weights([kernel * 50.0, bias * 50.0 + 50.0])
    return model
