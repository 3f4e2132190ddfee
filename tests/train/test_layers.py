"""Layers that commute with turns and mirrors, by what they promise of pictures that are turned."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest

from analyte.contract.arrays import Float32Array
from analyte.train.layers.group import ORIENTATIONS, GroupConv2D, GroupNormalization2D, LiftingConv2D
from analyte.train.layers.spread import OrbitConv2D, Sharing, orbit_table, ring_table
from analyte.train.layers.steerable import (
    Fields,
    SteerableConv2D,
    SteerableNormalization,
    harmonic_table,
)

SHARINGS: tuple[Sharing, ...] = ("orbits", "rings")
MIXED: Fields = (3, 2, 2)
"""Three channels of order 0, then two real and two imaginary parts for each of orders 1 and 2."""
quarter_turns_and_mirrors = pytest.mark.parametrize("symmetry", range(8))


def noise(*shape: int) -> Float32Array:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def moved(pictures: Float32Array, symmetry: int) -> Float32Array:
    """Turn pictures ``[N, H, W, C]`` by quarters, the upper four after a mirror."""
    mirrored = pictures[:, :, ::-1] if symmetry >= 4 else pictures
    return np.ascontiguousarray(np.rot90(mirrored, symmetry % 4, axes=(1, 2)))


def applied(layer: keras.layers.Layer, pictures: Float32Array) -> Float32Array:
    output: Float32Array = keras.ops.convert_to_numpy(layer(pictures))
    return output


def assert_close(found: Float32Array, expected: Float32Array) -> None:
    """The same products summed in another order."""
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * float(np.abs(expected).max()))


@pytest.mark.parametrize(("size", "orbits"), [(1, 1), (3, 3), (5, 6), (7, 10)])
def test_orbits(size: int, orbits: int) -> None:
    table = orbit_table(size)
    assert table.shape == (size, size, orbits)
    # Every tap belongs to one orbit, and every orbit is whole.
    np.testing.assert_array_equal(table.sum(axis=2), np.ones((size, size)))
    for turned in (np.rot90(table), table[::-1], table[:, ::-1], table.transpose(1, 0, 2)):
        np.testing.assert_array_equal(turned, table)
    # No two orbits could be told apart by less: each tap's orbit is its images under the eight symmetries.
    half = size // 2
    squares = {(abs(r), abs(c)) for r in range(-half, half + 1) for c in range(-half, half + 1)}
    assert orbits == len({tuple(sorted(pair)) for pair in squares})


def test_orbits_of_a_3x3_kernel() -> None:
    assert sorted(orbit_table(3).sum(axis=(0, 1)).tolist()) == [1, 4, 4]


def test_taps_of_a_ring_depend_on_their_distance_alone() -> None:
    table = ring_table(7)
    assert table.shape == (7, 7, 4)
    np.testing.assert_allclose((table**2).sum(axis=(0, 1)), np.ones(4), rtol=1e-6)
    by_distance: dict[float, list[Float32Array]] = {}
    for row, column in np.ndindex(7, 7):
        by_distance.setdefault(math.hypot(row - 3, column - 3), []).append(table[row, column])
    for taps in by_distance.values():
        np.testing.assert_allclose(taps, np.broadcast_to(taps[0], (len(taps), 4)), rtol=1e-6)
    # Ring r is highest r taps from the centre, and the corners beyond the circle hold nothing.
    assert [int(np.argmax(table[3, 3:, ring])) for ring in range(4)] == [0, 1, 2, 3]
    assert table[0, 0].max() == 0.0


@pytest.mark.parametrize("sharing", SHARINGS)
def test_even_kernels_have_no_centre(sharing: Sharing) -> None:
    with pytest.raises(ValueError, match="odd size, got 4"):
        OrbitConv2D(4, 4, sharing)
    with pytest.raises(ValueError, match="odd size, got 4"):
        LiftingConv2D(4, 4)(noise(1, 8, 8, 3))


@pytest.mark.parametrize("sharing", SHARINGS)
@pytest.mark.parametrize("kernel", [3, 5])
@quarter_turns_and_mirrors
def test_convolution_commutes(sharing: Sharing, kernel: int, symmetry: int) -> None:
    """Convolving a turned picture is turning the convolved picture."""
    keras.utils.set_random_seed(kernel)
    layer, pictures = OrbitConv2D(4, kernel, sharing), noise(2, 10, 10, 3)
    assert_close(applied(layer, moved(pictures, symmetry)), moved(applied(layer, pictures), symmetry))


def by_orientation(pictures: Float32Array) -> Float32Array:
    """Return ``[N, H, W, 8, F]``."""
    return pictures.reshape(*pictures.shape[:3], ORIENTATIONS, -1)


@quarter_turns_and_mirrors
def test_group_convolutions_commute(symmetry: int) -> None:
    """A turned picture gives turned features in permuted orientations, layer after layer."""
    keras.utils.set_random_seed(0)
    lifting, group = LiftingConv2D(3), GroupConv2D(2)
    pictures = noise(2, 8, 8, 4)
    lifted = applied(lifting, pictures)
    # Which orientations the move exchanges is the same for every feature and pixel: found on the first one.
    turned = by_orientation(applied(lifting, moved(pictures, symmetry)))
    expected = by_orientation(moved(lifted, symmetry))
    apart = np.abs(turned[0, :, :, :, np.newaxis, 0] - expected[0, :, :, np.newaxis, :, 0])
    exchanged = apart.max(axis=(0, 1)).argmin(axis=1)
    assert sorted(exchanged.tolist()) == list(range(ORIENTATIONS))
    assert (exchanged.tolist() == list(range(ORIENTATIONS))) is (symmetry == 0)
    assert_close(turned, expected[:, :, :, exchanged])
    deeper = by_orientation(applied(group, np.maximum(turned, 0.0).reshape(lifted.shape)))
    assert_close(
        deeper, by_orientation(moved(applied(group, np.maximum(lifted, 0.0)), symmetry))[:, :, :, exchanged]
    )


def test_orientations_share_their_normalization() -> None:
    layer = GroupNormalization2D(momentum=0.0)
    pictures = noise(4, 6, 6, 16) * np.arange(1, 17, dtype=np.float32)
    output = by_orientation(keras.ops.convert_to_numpy(layer(pictures, training=True)))
    np.testing.assert_allclose(output.mean(axis=(0, 1, 2, 3)), [0, 0], atol=1e-5)
    np.testing.assert_allclose(output.std(axis=(0, 1, 2, 3)), [1, 1], atol=1e-3)
    # The last orientation is about eight times as loud as the first here, and stays so.
    loudness = output.std(axis=(0, 1, 2))
    assert np.all(loudness[-1] > 5.0 * loudness[0])
    scale, offset = layer.scale_and_offset()
    np.testing.assert_allclose(
        applied(layer, pictures), pictures * scale + offset, atol=1e-5 * float(np.abs(output).max())
    )


def turned_by_phase(features: Float32Array, degrees: float, mirrored: bool) -> Float32Array:
    """Turn `MIXED` features on the spot: order m by m times the angle, after conjugating mirrored ones."""
    scalars, rest = features[..., :3], features[..., 3:]
    parts = [scalars]
    for order, at in ((1, 0), (2, 4)):
        numbers = rest[..., at : at + 2] + 1j * rest[..., at + 2 : at + 4]
        numbers = (np.conj(numbers) if mirrored else numbers) * np.exp(1j * order * math.radians(degrees))
        parts += [numbers.real, numbers.imag]
    return np.concatenate(parts, axis=-1).astype(np.float32)


@quarter_turns_and_mirrors
def test_harmonics_commute(symmetry: int) -> None:
    """Quarter turns and mirrors are exact: features move, and their phases turn by order times angle."""
    keras.utils.set_random_seed(0)
    into, deeper = SteerableConv2D((4, 0, 0), MIXED), SteerableConv2D(MIXED, MIXED)
    pictures = noise(2, 9, 9, 4)

    def expected(features: Float32Array) -> Float32Array:
        # rot90 turns from the row axis to the column axis: phi, measured from the column axis, falls. A
        # mirror along the columns sends phi to 180 degrees - phi.
        turns = -90.0 * (symmetry % 4) + (180.0 if symmetry >= 4 else 0.0)
        return turned_by_phase(moved(features, symmetry), turns, symmetry >= 4)

    once = applied(into, pictures)
    moved_once = applied(into, moved(pictures, symmetry))
    assert_close(moved_once, expected(once))
    assert_close(applied(deeper, moved_once), expected(applied(deeper, once)))


@pytest.mark.parametrize("degrees", [10.0, 30.0, 45.0, 77.0])
def test_harmonics_follow_any_angle(degrees: float) -> None:
    """The middle of a smooth picture, turned by an angle of no grid: drawn anew, not interpolated."""
    keras.utils.set_random_seed(0)
    layer = SteerableConv2D((1, 0, 0), MIXED)

    def picture(turn: float) -> Float32Array:
        rows, columns = np.mgrid[-4:5, -4:5].astype(np.float64)
        cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
        u, v = columns * cos + rows * sin, rows * cos - columns * sin
        drawn = np.exp(-((u - 2.0) ** 2) / 50.0 - (v + 1.5) ** 2 / 16.0)
        return drawn[np.newaxis, :, :, np.newaxis].astype(np.float32)

    still, turned = (applied(layer, picture(turn))[:, 4, 4] for turn in (0.0, degrees))
    expected = turned_by_phase(still, degrees, mirrored=False)
    for order, channels in enumerate((slice(0, 3), slice(3, 7), slice(7, 11))):
        size = float(np.abs(still[:, channels]).max())
        assert bool(np.abs(expected - still)[:, channels].max() > 0.1 * size) is (order > 0)
        # Rings sampled on a grid of five by five: off by 7 % of the largest at 45 degrees for order 2.
        np.testing.assert_allclose(turned[:, channels], expected[:, channels], rtol=0, atol=0.1 * size)


@pytest.mark.parametrize("order", [1, 2])
def test_harmonics_sum_to_zero(order: int) -> None:
    """A flat picture has no direction."""
    for table in harmonic_table(5, order):
        np.testing.assert_allclose(table.sum(axis=(0, 1)), np.zeros(2), atol=1e-6)


def test_normalization_keeps_phases() -> None:
    layer = SteerableNormalization(MIXED, momentum=0.0)
    pictures = noise(4, 6, 6, 11) * np.arange(1, 12, dtype=np.float32) + 1.0
    output = keras.ops.convert_to_numpy(layer(pictures, training=True))
    np.testing.assert_allclose(output[..., :3].mean(axis=(0, 1, 2)), np.zeros(3), atol=1e-5)
    np.testing.assert_allclose(output[..., :3].std(axis=(0, 1, 2)), np.ones(3), atol=1e-3)
    for at in (3, 4, 7, 8):
        before = pictures[..., at] + 1j * pictures[..., at + 2]
        after = output[..., at] + 1j * output[..., at + 2]
        np.testing.assert_allclose(np.angle(after), np.angle(before), atol=1e-4)
        # Real and imaginary part have unit mean square on average.
        np.testing.assert_allclose(np.mean(np.abs(after) ** 2), 2.0, atol=1e-2)
    # The batch's statistics became the moving ones, momentum being zero.
    np.testing.assert_allclose(applied(layer, pictures), output, atol=1e-5)


@pytest.mark.parametrize(
    "layer",
    [
        OrbitConv2D(7, 5, "rings", name="x"),
        LiftingConv2D(7, 5, name="x"),
        GroupConv2D(7, 5, name="x"),
        GroupNormalization2D(momentum=0.5, name="x"),
        SteerableConv2D((3, 1), (2, 0, 1), 7, name="x"),
        SteerableNormalization((3, 1), momentum=0.5, epsilon=0.1, name="x"),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_layers_survive_their_config(layer: keras.layers.Layer) -> None:
    copy = type(layer).from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    assert copy.name == "x"
