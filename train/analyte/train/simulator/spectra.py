"""Light and camera spectra, from the published tables that colour-science carries.

Every spectrum is sampled at `WAVELENGTHS_NM`. colour-science takes seconds to import, so it is imported
when the first spectrum is asked for.
"""

from __future__ import annotations

import functools
import warnings
from types import ModuleType
from typing import Any

import numpy as np

from analyte.contract.arrays import Float64Array
from analyte.contract.errors import UnavailableError

WAVELENGTHS_NM: Float64Array = np.arange(400.0, 701.0, 5.0)
"""Grid of every spectrum, float64 ``[61]``, nm: the visible range, at the step of the tables."""

CAMERAS = ("Nikon 5100 (NPL)", "Sigma SDMerill (NPL)")
"""Cameras with measured spectral sensitivities: Darrodi, Finlayson, Goodman & Mackiewicz, "Reference data set
for camera spectral sensitivity estimation", J. Opt. Soc. Am. A 32 (2015) 381; colour-science's names."""

WARM_LIGHT = "LED-B3"
"""Phosphor-converted blue LED of 4103 K (CIE 15:2018)."""
COOL_LIGHT = "LED-B5"
"""Phosphor-converted blue LED of 6598 K (CIE 15:2018)."""
PROFILE_LIGHT = "LED-B4"
"""Phosphor-converted blue LED of 5109 K (CIE 15:2018): the light under which the camera matrix is fitted."""


@functools.cache
def illuminant(name: str) -> Float64Array:
    """Return a light's relative spectral power, float64 ``[61]``, scaled to a mean of 1.

    ``name``: a key of ``colour.SDS_ILLUMINANTS``, such as ``LED-B3`` or ``D65``.
    """
    spectrum = _resample(_colour().SDS_ILLUMINANTS[name])[:, 0]
    return _frozen(spectrum / spectrum.mean())


@functools.cache
def camera_sensitivities(name: str) -> Float64Array:
    """Return a camera's relative sensitivities per unit of spectral power, float64 ``[3, 61]``, R, G, B."""
    return _frozen(_resample(_colour().MSDS_CAMERA_SENSITIVITIES[name]).T)


@functools.cache
def camera_matrix(name: str) -> Float64Array:
    """Return the matrix from white-balanced raw to linear sRGB, float64 ``[3, 3]``, each row summing to 1.

    Fitted as camera makers do: least squares over the 24 ColorChecker patches (N. Ohta's spectra) from the
    camera's balanced signals under `PROFILE_LIGHT` to the patches' sRGB colours under D65, with white kept
    white. Rounded to 1/4096, which is what the picture processing uses.
    """
    patches = _colour().SDS_COLOURCHECKERS["ColorChecker N Ohta"].values()
    reflectance = np.stack([_resample(patch)[:, 0] for patch in patches])
    raw = _balanced(reflectance, camera_sensitivities(name) * illuminant(PROFILE_LIGHT))
    target = _balanced(reflectance, _observer() * illuminant("D65"))
    # XYZ scaled to white becomes linear sRGB scaled to white once the matrix rows sum to 1.
    to_srgb = np.asarray(_colour().RGB_COLOURSPACES["sRGB"].matrix_XYZ_to_RGB, np.float64)
    white = (_observer() * illuminant("D65")).sum(1)
    to_srgb = to_srgb * white / white[1]
    target = target @ (to_srgb / to_srgb.sum(1, keepdims=True)).T
    # With rows that sum to 1 the blue coefficient follows from the other two.
    chroma, wanted = raw[:, :2] - raw[:, 2:], target - raw[:, 2:]
    fitted = np.linalg.lstsq(chroma, wanted, rcond=None)[0].T
    rounded = np.rint(fitted * 4096) / 4096
    return _frozen(np.concatenate([rounded, 1.0 - rounded.sum(1, keepdims=True)], axis=1))


def correlated_colour_temperature_kelvin(spectrum: Float64Array) -> float:
    """Return a light's correlated colour temperature, K; ``spectrum``: float64 ``[61]``, any scale.

    McCamy, "Correlated color temperature as an explicit function of chromaticity coordinates", Color Res.
    Appl. 17 (1992) 142: n = (x - 0.3320) / (0.1858 - y); T = 449 n^3 + 3525 n^2 + 6823.3 n + 5520.33.
    """
    x, y, z = (_observer() * spectrum).sum(1)
    total = x + y + z
    n = (x / total - 0.3320) / (0.1858 - y / total)
    return float(449 * n**3 + 3525 * n**2 + 6823.3 * n + 5520.33)


def _balanced(reflectance: Float64Array, weights: Float64Array) -> Float64Array:
    """Signals ``[N, 3]`` of reflectances ``[N, 61]`` seen with ``weights`` ``[3, 61]``; white gives 1."""
    return np.asarray(reflectance @ weights.T / weights.sum(1), np.float64)


@functools.cache
def _observer() -> Float64Array:
    """Colour matching functions of the CIE 1931 2 degree observer, float64 ``[3, 61]``, order X, Y, Z."""
    return _frozen(_resample(_colour().MSDS_CMFS["CIE 1931 2 Degree Standard Observer"]).T)


def _resample(table: Any) -> Float64Array:
    """Bring a colour-science table to the grid, float64 ``[61, channels]``: linear, zero outside."""
    source = np.asarray(table.wavelengths, np.float64)
    columns = np.asarray(table.values, np.float64).reshape(source.size, -1).T
    return np.stack([np.interp(WAVELENGTHS_NM, source, c, left=0.0, right=0.0) for c in columns], axis=1)


def _frozen(array: Float64Array) -> Float64Array:
    array.setflags(write=False)
    return array


@functools.cache
def _colour() -> ModuleType:
    # The import reports every optional package that is absent (plots, graphs); none is used here. It also
    # sets how numpy prints numbers, to twelve digits: that would reach every file written afterwards.
    with warnings.catch_warnings(), np.printoptions():
        warnings.simplefilter("ignore")
        try:
            import colour
        except ModuleNotFoundError as error:
            raise UnavailableError(
                "the simulator needs colour-science, which is not installed",
                got=f"no module named {error.name!r}",
                fix="pip install 'analyte[train]'",
            ) from error
    module: ModuleType = colour
    return module
