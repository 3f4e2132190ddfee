"""Colours as people see them: CIELAB under D50, and the difference Delta E 2000."""

from __future__ import annotations

import numpy as np

from analyte.contract.arrays import Float64Array

_TO_XYZ = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]],
)
"""Linear sRGB to XYZ under D65 (IEC 61966-2-1)."""
_CONE = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
"""XYZ to sharpened cone responses: Bradford (ICC.1:2022, annex E)."""
_WHITE_D65 = _TO_XYZ.sum(axis=1)
_WHITE_D50 = np.array([0.96422, 1.0, 0.82521])


def _to_xyz_d50() -> Float64Array:
    gains = (_CONE @ _WHITE_D50) / (_CONE @ _WHITE_D65)
    return np.asarray(np.linalg.inv(_CONE) @ np.diag(gains) @ _CONE @ _TO_XYZ, np.float64)


_TO_XYZ_D50 = _to_xyz_d50()
_EPSILON, _KAPPA = 216.0 / 24389.0, 24389.0 / 27.0


def linear_to_lab(linear: Float64Array) -> Float64Array:
    """Return CIELAB ``[..., 3]`` under D50 of linear sRGB ``[..., 3]``, 0 to 1 (CIE 15:2018, section
    8.2.1).

    D65 is adapted to D50 by Bradford's transform, so that white has a = b = 0.
    """
    relative = np.asarray(linear, np.float64) @ _TO_XYZ_D50.T / _WHITE_D50
    f = np.where(relative > _EPSILON, np.cbrt(relative), (_KAPPA * relative + 16.0) / 116.0)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)], axis=-1)


def lab_to_linear(lab: Float64Array) -> Float64Array:
    """Return linear sRGB ``[..., 3]`` of CIELAB ``[..., 3]`` under D50; colours outside sRGB leave 0 to
    1."""
    lab = np.asarray(lab, np.float64)
    y = (lab[..., 0] + 16.0) / 116.0
    f = np.stack([y + lab[..., 1] / 500.0, y, y - lab[..., 2] / 200.0], axis=-1)
    relative = np.where(f**3 > _EPSILON, f**3, (116.0 * f - 16.0) / _KAPPA)
    return np.asarray((relative * _WHITE_D50) @ np.linalg.inv(_TO_XYZ_D50).T, np.float64)


def delta_e_2000(one: Float64Array, other: Float64Array) -> Float64Array:
    """Return the colour difference ``[...]`` of CIELAB ``[..., 3]`` pairs, with kL = kC = kH = 1.

    Sharma, Wu & Dalal, "The CIEDE2000 color-difference formula: implementation notes, supplementary test
    data, and mathematical observations", Color Res. Appl. 30 (2005) 21.
    """
    l1, a1, b1 = np.moveaxis(np.asarray(one, np.float64), -1, 0)
    l2, a2, b2 = np.moveaxis(np.asarray(other, np.float64), -1, 0)
    mean_c7 = ((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2.0) ** 7
    stretch = 1.5 - 0.5 * np.sqrt(mean_c7 / (mean_c7 + 25.0**7))
    a1, a2 = a1 * stretch, a2 * stretch
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360.0, np.degrees(np.arctan2(b2, a2)) % 360.0
    grey = c1 * c2 == 0.0
    dh = np.where(grey, 0.0, (h2 - h1 + 180.0) % 360.0 - 180.0)
    # Hues exactly opposite: the sign of the difference is that of h2 - h1.
    dh = np.where(~grey & (np.abs(h2 - h1) == 180.0), h2 - h1, dh)
    d_hue = 2.0 * np.sqrt(c1 * c2) * np.sin(np.radians(dh / 2.0))
    mean_h = (h1 + h2) / 2.0
    wrapped = np.where(h1 + h2 < 360.0, mean_h + 180.0, mean_h - 180.0)
    mean_h = np.where(grey, h1 + h2, np.where(np.abs(h1 - h2) > 180.0, wrapped, mean_h))
    weight_h = (
        1.0
        - 0.17 * np.cos(np.radians(mean_h - 30.0))
        + 0.24 * np.cos(np.radians(2.0 * mean_h))
        + 0.32 * np.cos(np.radians(3.0 * mean_h + 6.0))
        - 0.20 * np.cos(np.radians(4.0 * mean_h - 63.0))
    )
    mean_c = (c1 + c2) / 2.0
    off = ((l1 + l2) / 2.0 - 50.0) ** 2
    d_light = (l2 - l1) / (1.0 + 0.015 * off / np.sqrt(20.0 + off))
    d_chroma = (c2 - c1) / (1.0 + 0.045 * mean_c)
    d_hue = d_hue / (1.0 + 0.015 * mean_c * weight_h)
    turn = 60.0 * np.exp(-(((mean_h - 275.0) / 25.0) ** 2))
    rotation = -2.0 * np.sqrt(mean_c**7 / (mean_c**7 + 25.0**7)) * np.sin(np.radians(turn))
    total = d_light**2 + d_chroma**2 + d_hue**2 + rotation * d_chroma * d_hue
    return np.asarray(np.sqrt(np.maximum(total, 0.0)), np.float64)
