"""Layers that training needs and the saved model does not: `analyte.train.folding` makes them stock ones."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from analyte.contract.arrays import Float32Array


def orbit_index(size: int) -> tuple[Float32Array, int]:
    """Assign each tap of a square kernel to its orbit under the turns and mirrors of the square.

    ``size``: odd edge of the kernel. Returns: one-hot float32 ``[size, size, O]``, and the number of orbits
    O (3 for a 3x3 kernel: centre, edge, corner; 6 for 5x5). Two taps share an orbit when their distances from
    the centre along both axes are the same pair of numbers, in either order.
    """
    if size % 2 == 0:
        raise ValueError(f"an orbit-shared kernel needs an odd size, got {size}")
    half = size // 2
    keys = [
        [tuple(sorted((abs(row - half), abs(column - half)))) for column in range(size)]
        for row in range(size)
    ]
    orbits = sorted({key for line in keys for key in line})
    table = np.zeros((size, size, len(orbits)), np.float32)
    for row in range(size):
        for column in range(size):
            table[row, column, orbits.index(keys[row][column])] = 1.0
    return table, len(orbits)


@keras.saving.register_keras_serializable("analyte")
class OrbitConv2D(keras.layers.Layer):
    """A convolution that commutes with quarter turns and mirrors, at the cost of a plain one.

    One weight per orbit of taps is trained; the kernel is spread from them. Followed by symmetric pooling and
    a global average, the network gives the same value for a picture and for its turns and mirror images.
    Input and output: float32 ``[N, H, W, C]``; zero padding keeps H and W, stride 1, no bias (batch
    normalization follows).
    """

    def __init__(self, filters: int, kernel_size: int = 3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self._table, self._orbits = orbit_index(kernel_size)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights: ``[O, C, filters]``."""
        channels = input_shape[-1]
        assert channels is not None
        # He initialization for the kernel that results: its fan-in is every tap, not every orbit.
        deviation = float(np.sqrt(2.0 / (self.kernel_size**2 * channels)))
        self.orbit_weights = self.add_weight(
            name="orbit_weights",
            shape=(self._orbits, channels, self.filters),
            initializer=keras.initializers.RandomNormal(stddev=deviation),
        )

    def spread(self) -> Any:
        """Return the full kernel ``[size, size, C, filters]``."""
        return keras.ops.tensordot(self._table, self.orbit_weights, axes=[[2], [0]])

    def call(self, inputs: Any) -> Any:
        """Convolve."""
        return keras.ops.conv(inputs, self.spread(), padding="same", data_format="channels_last")

    def get_config(self) -> dict[str, Any]:
        """Return what the constructor takes."""
        return {**super().get_config(), "filters": self.filters, "kernel_size": self.kernel_size}
