"""Invariant recipes: exact for the symmetries of the square, nearly so for every other angle."""

from __future__ import annotations

import functools
import math

import keras
import numpy as np
import pytest

from analyte.contract.arrays import Float32Array, Float64Array
from analyte.train.folding import to_stock
from analyte.train.recipes.registry import RECIPES

CHANNELS = 6
INVARIANT = [name for name, recipe in RECIPES.items() if recipe.invariant]
EXACT = 1e-5
"""Relative to the largest feature: float32 sums in another order."""


@functools.cache
def folded_trunk(recipe: str, size: int) -> keras.Model:
    """A trunk with normalizations that have seen pictures, as it is saved."""
    keras.utils.set_random_seed(0)
    planes = keras.Input((size, size, CHANNELS))
    core = keras.Model(planes, RECIPES[recipe].trunk(planes))
    for seed in range(20):
        core(noise(4, size, seed) if seed % 2 else drawn(range(4), size, float(seed)), training=True)
    return to_stock(core)


def noise(count: int, size: int, seed: int = 0) -> Float32Array:
    """Planes of which no two neighbours are alike, in pictures of different colours."""
    rng = np.random.default_rng(seed)
    colours = rng.uniform(-1.5, 1.5, (count, 1, 1, CHANNELS))
    return (colours + rng.uniform(-1.0, 1.0, (count, size, size, CHANNELS))).astype(np.float32)


def features_of(recipe: str, planes: Float32Array) -> Float64Array:
    trunk = folded_trunk(recipe, planes.shape[1])
    return keras.ops.convert_to_numpy(trunk(planes, training=False)).astype(np.float64)


@pytest.mark.parametrize("size", [16, 32, 64])
@pytest.mark.parametrize("recipe", INVARIANT)
def test_quarter_turns_and_mirrors_change_no_feature(recipe: str, size: int) -> None:
    planes = noise(3, size)
    still = features_of(recipe, planes)
    # A network that says the same of everything would be invariant too.
    assert np.ptp(still, axis=0).max() > 1e-2 * np.abs(still).max()
    for turns in range(4):
        for mirrored in (planes, planes[:, :, ::-1]):
            moved = features_of(recipe, np.ascontiguousarray(np.rot90(mirrored, turns, axes=(1, 2))))
            assert np.abs(moved - still).max() <= EXACT * np.abs(still).max()


@pytest.mark.parametrize("recipe", INVARIANT)
def test_transposing_is_noticed_in_a_picture_that_is_changed_otherwise(recipe: str) -> None:
    """What is no symmetry changes the features: half of the picture turned, the other half not."""
    planes = noise(3, 16)
    changed = planes.copy()
    changed[:, :8] = changed[:, :8, ::-1]
    difference = np.abs(features_of(recipe, changed) - features_of(recipe, planes)).max()
    assert difference > 100.0 * EXACT * np.abs(features_of(recipe, planes)).max()


def drawn(scenes: range, size: int, degrees: float) -> Float32Array:
    """Draw scenes turned about the middle by an angle: each pixel by its formula, nothing interpolated.

    A disc with a soft edge off the middle, a light that falls to one side, and two oblong spots; colours,
    places and shapes differ from scene to scene.
    """
    turn = math.radians(degrees)
    along = (np.arange(size) + 0.5) / size - 0.5
    x, y = along[np.newaxis, :], along[:, np.newaxis]
    u, v = x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)
    pictures = []
    for scene in scenes:
        rng = np.random.default_rng(scene)
        place = rng.uniform(-0.06, 0.06, 2)
        disc = 1.0 / (1.0 + np.exp((np.hypot(u - place[0], v - place[1]) - 0.3) / 0.02))
        spots = np.zeros_like(u)
        for a, b, wide, narrow in rng.uniform((-0.15, -0.15, 0.08, 0.04), (0.15, 0.15, 0.16, 0.08), (2, 4)):
            spots += np.exp(-(((u - a) / wide) ** 2) - ((v - b) / narrow) ** 2)
        light = 1.0 + 0.2 * u
        colours = rng.uniform(-1.0, 1.0, (3, CHANNELS))
        parts = (light, disc, spots)
        pictures.append(
            np.sum(
                [part[..., np.newaxis] * colour for part, colour in zip(parts, colours, strict=True)], axis=0
            )
        )
    return np.stack(pictures).astype(np.float32)


def unsteadiness(recipe: str, size: int) -> float:
    """Return how much features change with the angle, relative to how much they differ between scenes."""
    # Ninety degrees hold the whole circle, which repeats itself exactly.
    angles = np.linspace(0.0, 90.0, 12, endpoint=False).tolist()
    by_angle = np.stack([features_of(recipe, drawn(range(6), size, angle)) for angle in angles])
    within = by_angle.var(axis=0).mean(axis=0)
    between = by_angle.mean(axis=0).var(axis=0)
    return float(np.sqrt(within.sum() / between.sum()))


STEADY = {"isotropic": 0.006, "isotropic-wide": 0.004, "p4m": 0.06, "steerable": 0.01}
"""About twice what untrained trunks show: kernels of p4m alone see the four directions of the grid."""


@pytest.mark.parametrize("recipe", INVARIANT)
def test_any_angle(recipe: str) -> None:
    assert unsteadiness(recipe, 32) <= STEADY[recipe]
