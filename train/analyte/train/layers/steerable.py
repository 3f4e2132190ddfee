"""Convolutions with circular harmonics: features that turn with the picture, by any angle.

After Worrall et al., "Harmonic Networks: Deep Translation and Rotation Equivariance", CVPR 2017 (arXiv
1612.04642). A feature of rotation order m is a complex number that turns by m times the angle by which the
picture turns; its magnitude stays. A filter of order m is R(r) e^(i m phi) and leads from order k to k + m.
Radial profiles R are real here, without the paper's phases: a mirrored picture then gives the complex
conjugates, so that magnitudes and features of order 0 do not change under mirrors either. Features of order 0
are kept real: their imaginary part changes sign under mirrors.

Channels of a tensor: first the features of order 0, then for each further order the real parts of all its
features and the imaginary parts of all.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from analyte.contract.arrays import Float32Array, Float64Array
from analyte.train.layers.spread import SpreadConv2D, radius_of_taps, ring_table

Fields = tuple[int, ...]
"""How many features there are of rotation order 0, 1, 2, …"""


def channels_of(fields: Fields) -> int:
    """Return the channels of a tensor with these features: one for order 0, two for each other order."""
    return fields[0] + 2 * sum(fields[1:])


def harmonic_table(size: int, order: int) -> tuple[Float32Array, Float32Array]:
    """Sample R(r) cos(m phi) and R(r) sin(m phi) on a square kernel for a rotation order m of 0 or more.

    ``size``: odd edge of the kernel. Returns: two float32 arrays ``[size, size, R]``, one profile R per ring
    (`analyte.train.layers.spread.ring_table`), the ring at radius 0 only for order 0, where alone it has a
    value. phi runs from the column axis to the row axis. The squares of cosine and sine together sum to 1.
    """
    rings = np.asarray(ring_table(size), np.float64)
    if order > 0:
        rings = rings[..., 1:] * (radius_of_taps(size) > 0)[..., np.newaxis]
    along = np.arange(size) - size // 2
    angle = order * np.arctan2(along[:, np.newaxis], along[np.newaxis, :])[..., np.newaxis]
    rings = rings / np.sqrt((rings**2).sum(axis=(0, 1)))
    return (rings * np.cos(angle)).astype(np.float32), (rings * np.sin(angle)).astype(np.float32)


@keras.saving.register_keras_serializable("analyte")
class SteerableConv2D(SpreadConv2D):
    """From features of several rotation orders to others; ``[N, H, W, C]``, C as `channels_of` has it."""

    def __init__(self, fields_in: Fields, fields_out: Fields, kernel_size: int = 5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fields_in, self.fields_out = tuple(fields_in), tuple(fields_out)
        self.kernel_size = kernel_size
        self._paths = [
            (k, m) for k, n in enumerate(self.fields_in) for m, o in enumerate(self.fields_out) if n and o
        ]
        self._tables = {
            order: harmonic_table(kernel_size, order) for order in {abs(m - k) for k, m in self._paths}
        }

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create one weight per ring for each pair of features: ``[R, F_in, F_out]`` for each path."""
        assert input_shape[-1] == channels_of(self.fields_in)
        for k, m in self._paths:
            rings = self._tables[abs(m - k)][0].shape[-1]
            # He initialization: every feature of the output sums one term per ring and input feature.
            terms = sum(self._tables[abs(m - j)][0].shape[-1] * n for j, n in enumerate(self.fields_in) if n)
            self.add_weight(
                name=f"order_{k}_to_{m}",
                shape=(rings, self.fields_in[k], self.fields_out[m]),
                initializer=keras.initializers.RandomNormal(stddev=float(np.sqrt(2.0 / terms))),
            )

    def spread(self, ops: Any, weights: list[Any]) -> Any:
        """Return the kernel ``[size, size, C_in, C_out]``."""
        by_path = dict(zip(self._paths, weights, strict=True))
        columns = [
            ops.concatenate(
                [self._block(ops, by_path[k, m], k, m) for k, n in enumerate(self.fields_in) if n], axis=2
            )
            for m, n in enumerate(self.fields_out)
            if n
        ]
        return ops.concatenate(columns, axis=3)

    def _block(self, ops: Any, weights: Any, k: int, m: int) -> Any:
        """Return the kernel from all features of order k to all of order m."""
        cos, sin = (ops.tensordot(table, weights, axes=[[2], [0]]) for table in self._tables[abs(m - k)])
        sin = sin if m >= k else -sin
        # (a + ib)(cos + i sin), the real parts first; order 0 has no imaginary part.
        real = cos if k == 0 else ops.concatenate([cos, -sin], axis=2)
        if m == 0:
            return real
        imaginary = sin if k == 0 else ops.concatenate([sin, cos], axis=2)
        return ops.concatenate([real, imaginary], axis=3)

    def get_config(self) -> dict[str, Any]:
        """Return what the constructor takes."""
        own = {"fields_in": self.fields_in, "fields_out": self.fields_out, "kernel_size": self.kernel_size}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable("analyte")
class SteerableNormalization(keras.layers.Layer):
    """Batch normalization that leaves the rotation orders alone.

    Features of order 0 get zero mean, unit variance and a trained offset, as usual. Complex features are
    divided by the root mean square of their magnitude: a mean or an offset would single out a direction.
    Input and output: float32 ``[N, H, W, C]``. Statistics over batches decay by ``momentum``.
    """

    def __init__(self, fields: Fields, momentum: float = 0.9, epsilon: float = 1e-3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fields, self.momentum, self.epsilon = tuple(fields), momentum, epsilon
        members = _members(self.fields)
        # Averages real and imaginary part, and gives both the same.
        self._share = (members.T @ (members / members.sum(axis=1, keepdims=True))).astype(np.float32)
        self._centred = (np.arange(channels_of(self.fields)) < self.fields[0]).astype(np.float32)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create offset, mean and mean square per channel, ``[C]`` each."""
        shape = (channels_of(self.fields),)
        assert input_shape[-1] == shape[0]
        self.offset = self.add_weight(name="offset", shape=shape, initializer="zeros")
        self.moving_mean = self.add_weight(
            name="moving_mean", shape=shape, initializer="zeros", trainable=False
        )
        self.moving_power = self.add_weight(
            name="moving_power", shape=shape, initializer="ones", trainable=False
        )

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Normalize by the batch in training, by the moving statistics otherwise."""
        mean, power = self.moving_mean, self.moving_power
        if training:
            mean = keras.ops.mean(inputs, axis=(0, 1, 2)) * self._centred
            square = keras.ops.mean(keras.ops.square(inputs - mean), axis=(0, 1, 2), keepdims=True)
            power = keras.ops.matmul(keras.ops.reshape(square, (1, -1)), self._share)[0]
            for moving, now in ((self.moving_mean, mean), (self.moving_power, power)):
                moving.assign(moving * self.momentum + now * (1.0 - self.momentum))
        scaled = (inputs - mean) * keras.ops.rsqrt(power + self.epsilon)
        return scaled + self.offset * self._centred

    def scale_and_offset(self) -> tuple[Float64Array, Float64Array]:
        """See `analyte.train.layers.protocols.FoldingNormalization`."""
        offset, mean, power = (
            keras.ops.convert_to_numpy(variable).astype(np.float64)
            for variable in (self.offset, self.moving_mean, self.moving_power)
        )
        scale = 1.0 / np.sqrt(power + self.epsilon)
        return scale, offset * self._centred - mean * scale

    def get_config(self) -> dict[str, Any]:
        """Return what the constructor takes."""
        own = {"fields": self.fields, "momentum": self.momentum, "epsilon": self.epsilon}
        return {**super().get_config(), **own}


def _members(fields: Fields) -> Float64Array:
    """Return which channels belong to which feature, one-hot float64 ``[features, C]``."""
    owners: list[int] = []
    for order, count in enumerate(fields):
        first = sum(fields[:order])
        owners += list(range(first, first + count)) * (1 if order == 0 else 2)
    return np.asarray(np.eye(sum(fields))[:, owners], np.float64)
