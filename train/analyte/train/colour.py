"""How a network sees colour: planes that are computed inside the graph from what the camera gave.

All planes are float32, roughly -2 to 2. Arithmetic with numbers goes through Rescaling layers: Keras 3.15
marks what Python numbers give as sparse tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from analyte.train.windows import circular_window, windowed

REFERENCE_VIEW = "reference"
"""A view of this name shows the blank or reference zone, unless the caller names another."""

_FLOOR = 0.02
"""Added to intensity (0 to 1) before the logarithm: about the black level of an 8-bit camera, so that noise
in dark pixels is not blown up."""
_ROWS, _COLUMNS, _CHANNELS = -3, -2, -1
_LUMA = (0.299, 0.587, 0.114)
"""Weights of R, G and B in luma (ITU-R BT.601)."""
_SURROUND_FROM, _SURROUND_EDGE = 0.53, 0.06
"""Distance from the middle at which the surround begins, and over which it fades in, edges of the picture: a
round specimen that fills the picture ends at 0.5, so only the corners are left."""
_WINDOW_EDGE = 32
"""Edge of the picture on which the surround is found, pixels: its soft edge is then two pixels wide."""
_SHARPNESS = 25.0
"""How strongly the brightest (darkest) pixels outweigh others in the white (black) of a picture: a pixel that
is 0.1 darker than another counts a twelfth of it."""
_LEAST_CONTRAST = 0.05
"""Least difference of white and black, of full scale: a picture of one colour has nothing to divide by."""
_DENSITY_FLOOR = 0.1
"""Added to the reflectance before the logarithm."""
_REFLECTANCES = (-1.0, 2.0)
"""Beyond these a colour is neither paint nor paper."""


@dataclass(frozen=True, slots=True)
class Light:
    """A picture's intensity and what it is compared with; symbolic, float32, 0 to 1."""

    intensity: Any
    """``[N, S, S, 3]`` or ``[N, V, S, S, 3]``, RGB."""
    blank: Any
    """Mean colour of the reference view where there is one, else of the picture: same layout, S = 1."""


def _affine(x: Any, scale: float, offset: float) -> Any:
    return keras.layers.Rescaling(scale, offset)(x)


def _mean(x: Any) -> Any:
    """Return the mean over the pixels of each picture, which keeps its axes."""
    # Columns, then rows: one long float32 sum loses digits, differently in every engine.
    return keras.ops.mean(keras.ops.mean(x, axis=_COLUMNS, keepdims=True), axis=_ROWS, keepdims=True)


def _mixed(x: Any, weights: Any) -> Any:
    """Mix the channels of ``x`` by a constant matrix ``[3, K]``."""
    columns = np.asarray(weights, np.float32)
    return keras.layers.Dense(
        columns.shape[1],
        use_bias=False,
        trainable=False,
        kernel_initializer=keras.initializers.Constant(columns.tolist()),
    )(x)


def _against(reference: Any, picture: Any) -> Any:
    """Return ``reference - picture``, where ``reference`` is one colour for each picture."""
    # Repeated along a row first: ONNX Runtime subtracts whole rows eight times as fast as single colours.
    repeats = [1] * len(reference.shape)
    repeats[_COLUMNS] = picture.shape[_COLUMNS]
    return keras.ops.subtract(keras.ops.tile(reference, repeats), picture)


def _log(x: Any) -> Any:
    return keras.ops.log(_affine(x, 1.0, _FLOOR))


def _rgb(light: Light) -> Any:
    return _affine(light.intensity, 4.0, -2.0)


def _grey(light: Light) -> Any:
    return _affine(_mixed(light.intensity, np.asarray(_LUMA)[:, np.newaxis]), 4.0, -2.0)


def _absorbance(light: Light) -> Any:
    """-ln(I / I0), Beer-Lambert: the light's colour and brightness cancel in it."""
    return _affine(_against(_log(light.blank), _log(light.intensity)), 3.0, 0.0)


def _surround(light: Light) -> Any:
    """-ln(I / I0) where I0 is what surrounds the specimen: the mount, the plate or the paper around it."""
    seen = _coarse(light.intensity)
    window = 1.0 - circular_window(seen.shape[_COLUMNS], _SURROUND_FROM, _SURROUND_EDGE)
    corners = _mean(windowed(seen, window / window.mean()))
    return _affine(_against(_log(corners), _log(light.intensity)), 3.0, 0.0)


def _coarse(x: Any) -> Any:
    """Halve pictures until no finer than the window needs: the file holds a number for each of its pixels."""
    if len(x.shape) > 4:
        return x
    while x.shape[_COLUMNS] >= 2 * _WINDOW_EDGE and x.shape[_COLUMNS] % 2 == 0:
        x = keras.layers.AveragePooling2D(2)(x)
    return x


def _ratio(light: Light) -> Any:
    floored = [_affine(x, 1.0, _FLOOR) for x in (light.intensity, light.blank)]
    return _affine(keras.ops.divide(*floored), 2.0, -2.0)


def _logarithm(light: Light) -> Any:
    return _affine(_log(light.intensity), -1.0, -1.5)


def _standardized(light: Light) -> Any:
    apart = keras.ops.subtract(light.intensity, _mean(light.intensity))
    deviation = keras.ops.sqrt(_affine(_mean(keras.ops.square(apart)), 1.0, _LEAST_CONTRAST**2))
    return keras.ops.divide(apart, deviation)


def _reflectance(light: Light) -> Any:
    """(I - black) / (white - black): what is printed or mounted around the analyte is the standard."""
    return _affine(_relative(light), 4.0, -2.0)


def _density(light: Light) -> Any:
    """-ln of the reflectance: absorbance against the white of the same picture."""
    return _affine(keras.ops.log(_affine(keras.ops.relu(_relative(light)), 1.0, _DENSITY_FLOOR)), -1.0, -1.0)


def _relative(light: Light) -> Any:
    """Reflectance between the black and the white of each picture, 0 to 1, a little beyond where they err.

    White and black are the mean colours of the brightest and darkest pixels of the same picture, found by
    weights that fall off exponentially with luma, wherever they lie.
    """
    luma = _mixed(light.intensity, np.asarray(_LUMA)[:, np.newaxis])
    white, black = (_weighted(light.intensity, _affine(luma, sign * _SHARPNESS, 0.0)) for sign in (1.0, -1.0))
    contrast = keras.ops.clip(keras.ops.subtract(white, black), _LEAST_CONTRAST, 1.0)
    relative = keras.ops.divide(keras.ops.subtract(light.intensity, black), contrast)
    return keras.ops.clip(relative, *_REFLECTANCES)


def _weighted(intensity: Any, exponent: Any) -> Any:
    weights = keras.ops.exp(exponent)
    return keras.ops.divide(_mean(keras.ops.multiply(weights, intensity)), _mean(weights))


def _lab(light: Light) -> Any:
    """CIE L*a*b* of sRGB under D65 (IEC 61966-2-1, CIE 15:2004), L* - 50 and a*, b* over 40."""
    # sRGB's curve by its common approximation, a power of 2.2: stock operations only.
    linear = keras.ops.power(_affine(light.intensity, 1.0, 1e-4), keras.ops.convert_to_tensor(2.2))
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]], np.float64
    )
    relative = _mixed(linear, (to_xyz / np.array([[0.9505], [1.0], [1.089]])).T)
    # The linear piece below 0.008856 only matters in black: a small offset takes its place.
    cube_root = keras.ops.power(_affine(relative, 1.0, 1e-3), keras.ops.convert_to_tensor(1.0 / 3.0))
    to_lab = np.array([[0.0, 116.0, 0.0], [500.0, -500.0, 0.0], [0.0, 200.0, -200.0]]) / 40.0
    lab = _mixed(cube_root, to_lab.T)
    return keras.layers.Rescaling(1.0, [-66.0 / 40.0, 0.0, 0.0])(lab)


PLANES: Mapping[str, Callable[[Light], Any]] = {
    "rgb": _rgb,
    "absorbance": _absorbance,
    "surround": _surround,
    "reflectance": _reflectance,
    "density": _density,
    "ratio": _ratio,
    "log": _logarithm,
    "standardized": _standardized,
    "lab": _lab,
    "grey": _grey,
}


def colour_planes(image: Any, views: tuple[str, ...], names: tuple[str, ...], reference: str | None) -> Any:
    """Return the planes ``names`` of pictures, float32 ``[..., S, S, C]``.

    ``image``: symbolic uint8 ``[N, S, S, 3]``, or ``[N, V, S, S, 3]`` for several ``views``, RGB.
    ``reference``: the view whose mean colour is I0; None takes each picture's own mean.
    """
    intensity = _affine(keras.ops.cast(image, "float32"), 1.0 / 255.0, 0.0)
    blank = intensity
    if reference is not None and len(views) > 1:
        at = views.index(reference)
        blank = intensity[:, at : at + 1]
    light = Light(intensity, _mean(blank))
    planes = [PLANES[name](light) for name in names]
    return planes[0] if len(planes) == 1 else keras.ops.concatenate(planes, axis=_CHANNELS)
