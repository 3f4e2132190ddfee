"""Colours of charts as their makers state them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analyte.contract.arrays import Float64Array
from analyte.runtime.colour.delta_e import lab_to_linear

_NAMES = (
    "dark skin", "light skin", "blue sky", "foliage", "blue flower", "bluish green",
    "orange", "purplish blue", "moderate red", "purple", "yellow green", "orange yellow",
    "blue", "green", "red", "yellow", "magenta", "cyan",
    "white", "neutral 8", "neutral 6.5", "neutral 5", "neutral 3.5", "black",
)  # fmt: skip
_SINCE_2014 = (
    (37.54, 14.37, 14.92), (64.66, 19.27, 17.50), (49.32, -3.82, -22.54), (43.46, -12.74, 22.72),
    (54.94, 9.61, -24.79), (70.48, -32.26, -0.37), (62.73, 35.83, 56.50), (39.43, 10.75, -45.17),
    (50.57, 48.64, 16.67), (30.10, 22.54, -20.87), (71.77, -24.13, 58.19), (71.51, 18.24, 67.37),
    (28.37, 15.42, -49.80), (54.38, -39.72, 32.27), (42.43, 51.05, 28.62), (81.80, 2.67, 80.41),
    (50.63, 51.28, -14.12), (49.57, -29.71, -28.32), (95.19, -1.03, 2.93), (81.29, -0.57, 0.44),
    (66.89, -0.75, -0.06), (50.76, -0.13, 0.14), (35.63, -0.46, -0.48), (20.64, 0.07, -0.46),
)  # fmt: skip
_BEFORE_2014 = (
    (37.99, 13.56, 14.06), (65.71, 18.13, 17.81), (49.93, -4.88, -21.93), (43.14, -13.09, 21.90),
    (55.11, 8.84, -25.40), (70.72, -33.40, -0.20), (62.66, 36.07, 57.10), (40.02, 10.41, -45.96),
    (51.12, 48.24, 16.25), (30.33, 22.98, -21.59), (72.53, -23.71, 57.26), (71.94, 19.36, 67.86),
    (28.78, 14.18, -50.30), (55.26, -38.34, 31.37), (42.10, 53.38, 28.19), (81.73, 4.04, 79.82),
    (51.94, 49.99, -14.57), (51.04, -28.63, -28.64), (96.54, -0.43, 1.19), (81.26, -0.64, -0.33),
    (66.77, -0.73, -0.50), (50.87, -0.15, -0.27), (35.66, -0.42, -1.23), (20.46, -0.08, -0.97),
)  # fmt: skip

ROWS, COLUMNS = 4, 6
GREYS = slice(18, 24)
"""The grey row, from white to black."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart of 4 rows and 6 columns, patches by row from dark skin, the grey row last."""

    name: str
    patches: tuple[str, ...]
    lab: Float64Array
    """CIELAB under D50, float64 ``[24, 3]``."""

    @property
    def linear(self) -> Float64Array:
        """Linear sRGB, float64 ``[24, 3]``; cyan lies outside sRGB: its red is below 0."""
        return lab_to_linear(self.lab)


CHARTS: dict[str, Chart] = {
    "classic": Chart("classic", _NAMES, np.array(_SINCE_2014)),
    "classic-2005": Chart("classic-2005", _NAMES, np.array(_BEFORE_2014)),
}
"""ColorChecker Classic, also Mini, Nano and in the Passport: as made since November 2014, and before;
X-Rite's published values, by the name used on the command line."""
