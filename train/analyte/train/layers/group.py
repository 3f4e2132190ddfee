"""Convolutions over positions and orientations: all four quarter turns and their mirror images (p4m).

After Cohen and Welling, "Group Equivariant Convolutional Networks", ICML 2016 (arXiv 1602.07576),
equations 10 and 11. A feature has one channel per orientation; channel ``g * F + f`` holds feature f in
orientation g. In a turned picture the same numbers appear in turned places and in permuted orientations.
One trained filter is laid out in all its orientations as channels of a plain kernel.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from analyte.contract.arrays import Float64Array
from analyte.train.layers.normalization import batch_scale_and_offset
from analyte.train.layers.spread import SpreadConv2D

ORIENTATIONS = 8

_TURN = np.array([[0, -1], [1, 0]])
_MIRROR = np.array([[1, 0], [0, -1]])
_GROUP = [
    np.linalg.matrix_power(_TURN, turns) @ np.linalg.matrix_power(_MIRROR, mirrored)
    for mirrored in range(2)
    for turns in range(4)
]
"""What each orientation does to a position (row, column) about the centre."""


def _index(element: np.ndarray[Any, Any]) -> int:
    return next(i for i, other in enumerate(_GROUP) if np.array_equal(other, element))


_RELATIVE = np.array([[_index(g.T @ h) for g in _GROUP] for h in _GROUP])
"""``[h, g]``: the orientation h as seen from g, g^-1 h; the inverse of an orthogonal matrix is its
transpose."""


def tap_table(size: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return which tap of the trained filter each tap of its copies shows, int64 ``[size * size, 8]``.

    ``size``: odd edge of the kernel. Taps are numbered row by row. The copy in orientation g holds at
    position x what the filter holds at g^-1 x.
    """
    if size % 2 == 0:
        raise ValueError(f"a symmetric kernel needs an odd size, got {size}")
    half = size // 2
    rows, columns = (grid.ravel() - half for grid in np.mgrid[:size, :size])
    positions = np.stack([rows, columns])
    table = np.empty((size * size, ORIENTATIONS), np.int64)
    for index, element in enumerate(_GROUP):
        row, column = element.T @ positions + half
        table[:, index] = row * size + column
    return table


@keras.saving.register_keras_serializable("analyte")
class LiftingConv2D(SpreadConv2D):
    """From a picture ``[N, H, W, C]`` to ``filters`` features in 8 orientations, ``[N, H, W, 8 *
    filters]``."""

    def __init__(self, filters: int, kernel_size: int = 3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters, self.kernel_size = filters, kernel_size

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the filters: ``[size * size, C, filters]``."""
        channels, taps = input_shape[-1], self.kernel_size**2
        assert channels is not None
        self.add_weight(
            name="filters",
            shape=(taps, channels, self.filters),
            initializer=keras.initializers.RandomNormal(stddev=float(np.sqrt(2.0 / (taps * channels)))),
        )

    def spread(self, ops: Any, weights: list[Any]) -> Any:
        """Return the kernel ``[size, size, C, 8 * filters]``."""
        copies = ops.take(weights[0], tap_table(self.kernel_size), axis=0)  # [taps, g, C, filters]
        kernel = ops.transpose(copies, (0, 2, 1, 3))
        return ops.reshape(kernel, (self.kernel_size, self.kernel_size, -1, ORIENTATIONS * self.filters))

    def get_config(self) -> dict[str, Any]:
        """Return what the constructor takes."""
        return {**super().get_config(), "filters": self.filters, "kernel_size": self.kernel_size}


@keras.saving.register_keras_serializable("analyte")
class GroupConv2D(SpreadConv2D):
    """From features in 8 orientations ``[N, H, W, 8 * F]`` to ``filters`` in 8, ``[N, H, W, 8 * filters]``.

    A filter looks at every orientation of its input; its copy in orientation g is turned by g and looks
    at the orientations as seen from g.
    """

    def __init__(self, filters: int, kernel_size: int = 3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters, self.kernel_size = filters, kernel_size

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the filters: ``[size * size * 8, F, filters]``."""
        channels, taps = input_shape[-1], self.kernel_size**2
        assert channels is not None
        assert channels % ORIENTATIONS == 0
        self.add_weight(
            name="filters",
            shape=(taps * ORIENTATIONS, channels // ORIENTATIONS, self.filters),
            initializer=keras.initializers.RandomNormal(stddev=float(np.sqrt(2.0 / (taps * channels)))),
        )

    def spread(self, ops: Any, weights: list[Any]) -> Any:
        """Return the kernel ``[size, size, 8 * F, 8 * filters]``."""
        taps = tap_table(self.kernel_size)[:, np.newaxis, :]  # [taps, 1, g]
        copies = ops.take(weights[0], taps * ORIENTATIONS + _RELATIVE, axis=0)  # [taps, h, g, F, filters]
        kernel = ops.transpose(copies, (0, 1, 3, 2, 4))
        size, channels = self.kernel_size, ORIENTATIONS * weights[0].shape[1]
        return ops.reshape(kernel, (size, size, channels, ORIENTATIONS * self.filters))

    def get_config(self) -> dict[str, Any]:
        """Return what the constructor takes."""
        return {**super().get_config(), "filters": self.filters, "kernel_size": self.kernel_size}


@keras.saving.register_keras_serializable("analyte")
class GroupNormalization2D(keras.layers.Layer):
    """Batch normalization with one mean and variance per feature, shared by its 8 orientations.

    Input and output: float32 ``[N, H, W, 8 * F]``. Channels of their own statistics would tell orientations
    apart, and the network would no longer be invariant.
    """

    def __init__(self, momentum: float = 0.9, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.momentum = momentum
        self.inner = keras.layers.BatchNormalization(momentum=momentum)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the statistics of the features, ``[F]`` each."""
        channels = input_shape[-1]
        assert channels is not None
        self.inner.build((None, None, None, channels // ORIENTATIONS))

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Normalize, the orientations being so many more pixels."""
        _, height, width, channels = inputs.shape
        pixels = keras.ops.reshape(inputs, (-1, height, width * ORIENTATIONS, channels // ORIENTATIONS))
        return keras.ops.reshape(self.inner(pixels, training=training), (-1, height, width, channels))

    def scale_and_offset(self) -> tuple[Float64Array, Float64Array]:
        """See `analyte.train.layers.protocols.FoldingNormalization`."""
        scale, offset = batch_scale_and_offset(self.inner)
        return np.tile(scale, ORIENTATIONS), np.tile(offset, ORIENTATIONS)

    def get_config(self) -> dict[str, Any]:
        """Return what the constructor takes."""
        return {**super().get_config(), "momentum": self.momentum}
