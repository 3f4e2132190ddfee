"""Convolutions whose kernel is spread from fewer weights than it has taps."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Literal

import keras
import numpy as np

from analyte.contract.arrays import Float32Array, Float64Array

Sharing = Literal["orbits", "rings"]

_RING_WIDTH = 0.6
"""Standard deviation of a ring across its radius, in taps: narrower and a ring at radius 1 has gaps,
wider and neighbouring rings say the same."""


class SpreadConv2D(keras.layers.Layer):
    """A convolution without bias (a normalization follows) that knows how to spread its kernel.

    Input and output: float32 ``[N, H, W, C]``; zero padding keeps H and W, stride 1.
    """

    @abstractmethod
    def spread(self, ops: Any, weights: list[Any]) -> Any:
        """Return the kernel ``[h, w, C_in, C_out]``, linear in the layer's ``weights``.

        ``ops``: `keras.ops` for tensors in training, or `numpy` for the float64 arrays of the saved model.
        """

    def call(self, inputs: Any) -> Any:
        """Convolve."""
        kernel = self.spread(keras.ops, self.weights)
        return keras.ops.conv(inputs, kernel, padding="same", data_format="channels_last")

    def kernel_and_bias(self) -> tuple[Float64Array, Float64Array]:
        """See `analyte.train.layers.protocols.FoldingConvolution`."""
        exact = [array.astype(np.float64) for array in self.get_weights()]
        kernel = np.asarray(self.spread(np, exact), np.float64)
        return kernel, np.zeros(kernel.shape[-1])


def orbit_table(size: int) -> Float32Array:
    """Assign each tap of a square kernel to its orbit under the turns and mirrors of the square.

    ``size``: odd edge of the kernel. Returns: one-hot float32 ``[size, size, O]`` with O orbits: 3 for a 3x3
    kernel (centre, edge, corner), 6 for 5x5. Two taps share an orbit when their distances from the centre
    along both axes are the same pair of numbers, in either order.
    """
    half = _half(size)
    keys = [
        [tuple(sorted((abs(row - half), abs(column - half)))) for column in range(size)]
        for row in range(size)
    ]
    orbits = sorted({key for line in keys for key in line})
    table = np.zeros((size, size, len(orbits)), np.float32)
    for row in range(size):
        for column in range(size):
            table[row, column, orbits.index(keys[row][column])] = 1.0
    return table


def ring_table(size: int) -> Float32Array:
    """Sample smooth rings about the centre of a square kernel, so that a tap depends on its distance alone.

    ``size``: odd edge of the kernel. Returns: float32 ``[size, size, size // 2 + 1]``, a Gaussian over the
    radius for each of 0, 1, 2, … taps, the corners beyond the inscribed circle fading to zero; the squares of
    each ring's taps sum to 1.
    """
    radius = radius_of_taps(size)
    rings = np.exp(-((radius[..., np.newaxis] - np.arange(_half(size) + 1)) ** 2) / (2.0 * _RING_WIDTH**2))
    rings *= np.clip(_half(size) + 1.0 - radius, 0.0, 1.0)[..., np.newaxis]
    return np.asarray(rings / np.sqrt((rings**2).sum(axis=(0, 1))), np.float32)


def radius_of_taps(size: int) -> Float64Array:
    """Return each tap's distance from the centre of a kernel of odd ``size``, float64 ``[size, size]``."""
    along = np.arange(size) - _half(size)
    return np.asarray(np.hypot(along[:, np.newaxis], along), np.float64)


def _half(size: int) -> int:
    if size % 2 == 0:
        raise ValueError(f"a symmetric kernel needs an odd size, got {size}")
    return size // 2


_TABLES: dict[Sharing, Callable[[int], Float32Array]] = {"orbits": orbit_table, "rings": ring_table}


@keras.saving.register_keras_serializable("analyte")
class OrbitConv2D(SpreadConv2D):
    """A convolution that commutes with quarter turns and mirrors, at the cost of a plain one.

    Trains one weight per orbit of taps (``sharing="orbits"``) or per ring about the centre (``"rings"``,
    which nearly commutes with every turn). Followed by symmetric pooling and a global average, the network
    gives the same value for a picture and for its turns and mirror images.
    """

    def __init__(
        self, filters: int, kernel_size: int = 3, sharing: Sharing = "orbits", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.filters, self.kernel_size, self.sharing = filters, kernel_size, sharing
        self._table = _TABLES[sharing](kernel_size)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights: ``[O, C, filters]``."""
        channels = input_shape[-1]
        assert channels is not None
        # He initialization for the kernel that results: its fan-in is every tap, not every orbit.
        deviation = float(np.sqrt(2.0 / (np.sum(self._table**2) * channels)))
        self.add_weight(
            name="orbit_weights",
            shape=(self._table.shape[-1], channels, self.filters),
            initializer=keras.initializers.RandomNormal(stddev=deviation),
        )

    def spread(self, ops: Any, weights: list[Any]) -> Any:
        """Return the full kernel ``[size, size, C, filters]``."""
        return ops.tensordot(self._table, weights[0], axes=[[2], [0]])

    def get_config(self) -> dict[str, Any]:
        """Return what the constructor takes."""
        own = {"filters": self.filters, "kernel_size": self.kernel_size, "sharing": self.sharing}
        return {**super().get_config(), **own}
