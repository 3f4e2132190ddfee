"""Circular harmonics: features that turn with the picture, by any angle, and whose magnitudes do not.

Worrall et al., "Harmonic Networks: Deep Translation and Rotation Equivariance", CVPR 2017; see
`analyte.train.layers.steerable`. Rotation orders 0, 1 and 2: brightness, gradients, edges without a side.
"""

from __future__ import annotations

from typing import Any

import keras

from analyte.train.layers.steerable import Fields, SteerableConv2D, SteerableNormalization
from analyte.train.recipes.recipe import Recipe
from analyte.train.recipes.symmetric import blur_pool, faded_corners, global_mean

_FIRST: Fields = (8, 2, 2)
_WIDTH: Fields = (12, 4, 4)
_LAST: Fields = (16, 8, 8)
"""Features of rotation order 0, 1 and 2."""
_COARSEST = 8
"""Pooling stops when the edge is at most this, pixels: below it the border weighs too much."""
_RADIUS, _SOFTNESS = 0.48, 0.06
"""Of the field of view, in edges of the picture."""
_SMALLEST = 0.1
"""A magnitude is at least this, root mean square being 1: where there is no direction, none is invented."""
_STEP = 8


def _magnitude(real: Any, imaginary: Any) -> Any:
    square = keras.ops.add(keras.ops.square(real), keras.ops.square(imaginary))
    return keras.ops.sqrt(keras.layers.Rescaling(1.0, _SMALLEST**2)(square))


def _split(pictures: Any, fields: Fields) -> tuple[Any, Any, Any]:
    """Return the features of order 0, and real and imaginary parts of all others in the same order."""
    none, first, second = fields
    bounds = [none, none + first, none + 2 * first, none + 2 * first + second]
    parts = keras.ops.split(pictures, bounds, axis=-1)
    real, imaginary = (keras.ops.concatenate(pair, axis=-1) for pair in (parts[1::2], parts[2::2]))
    return parts[0], real, imaginary


def _rectified(pictures: Any, fields: Fields) -> tuple[Any, Any, Any, Any]:
    """Rectify features of order 0 and magnitudes of the others; return them, and what the parts shrink by.

    Order 0 ``[M, S, S, n0]``; then real parts, imaginary parts and magnitudes ``[M, S, S, n1 + n2]``.
    """
    scalars, real, imaginary = _split(pictures, fields)
    magnitude = _magnitude(real, imaginary)
    # A gain and an offset per feature, trained: the paper's bias of the magnitude.
    rectified = keras.layers.ReLU()(keras.layers.DepthwiseConv2D(1, depthwise_initializer="ones")(magnitude))
    shrunk = keras.ops.divide(rectified, magnitude)
    return (
        keras.layers.ReLU()(scalars),
        keras.ops.multiply(real, shrunk),
        keras.ops.multiply(imaginary, shrunk),
        rectified,
    )


def _joined(pictures: Any, fields: Fields) -> Any:
    scalars, real, imaginary, _ = _rectified(pictures, fields)
    first = fields[1]
    return keras.ops.concatenate(
        [scalars, real[..., :first], imaginary[..., :first], real[..., first:], imaginary[..., first:]],
        axis=-1,
    )


def _convolved(pictures: Any, before: Fields, after: Fields) -> Any:
    pictures = SteerableConv2D(before, after)(pictures)
    return SteerableNormalization(after)(pictures)


def _trunk(pictures: Any) -> Any:
    pictures = faded_corners(pictures, _RADIUS, _SOFTNESS)
    pictures = _joined(_convolved(pictures, (pictures.shape[-1], 0, 0), _FIRST), _FIRST)
    pictures = _joined(_convolved(blur_pool(pictures), _FIRST, _WIDTH), _WIDTH)
    while pictures.shape[1] > _COARSEST:
        pictures = _joined(_convolved(blur_pool(pictures), _WIDTH, _WIDTH), _WIDTH)
    scalars, _, _, magnitudes = _rectified(_convolved(pictures, _WIDTH, _LAST), _LAST)
    return global_mean(keras.ops.concatenate([scalars, magnitudes], axis=-1))


RECIPE = Recipe(
    name="steerable",
    help="Circular harmonics of orders 0 to 2: features turn with the picture by any angle, magnitudes stay.",
    trunk=_trunk,
    size_step=_STEP,
    min_size=2 * _STEP,
    invariant=True,
    colour=("rgb",),  # no surround: what a turn brings into the corners is not to be looked at
)
