"""What differs between days: light, exposure, white balance, the lot of plates; and which days test a model.

The defaults are those of a closed lab box with a camera in automatic white balance: colour temperature within
about 4600 to 5800 K, exposure within a few percent, balance off by about one percent. A picture without the
reference view therefore confounds part of the light with the colour: light that is 1 % weaker in green looks
like a little more dye, and the plate in the picture tells the two apart only as far as its own tint is known.
The reference view takes light and camera out, and leaves the plate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from analyte.contract.arrays import Float64Array
from analyte.contract.dataset import Split
from analyte.train.simulator.seeds import SESSION, generator
from analyte.train.simulator.spectra import (
    COOL_LIGHT,
    WARM_LIGHT,
    WAVELENGTHS_NM,
    camera_sensitivities,
    correlated_colour_temperature_kelvin,
    illuminant,
)

WHITE_LEVEL = 0.80
"""Green raw signal of a perfect white, as a fraction of full scale, at nominal exposure."""
EXPOSURE_SPREAD = 0.03
"""Relative standard deviation of a session's light times exposure."""
BALANCE_SPREAD = 0.012
"""Relative standard deviation of what the automatic white balance gets wrong, on R and on B."""
# Lowest and highest of what a session draws evenly; units as in `Session`.
COOL_FRACTION = (0.25, 0.75)
PLATE_REFLECTANCE = (0.85, 0.89)
PLATE_SLOPE_PER_UM = (-0.02, 0.08)
GRADIENT_PER_FRAME = (0.03, 0.12)
VIGNETTE_TANGENT = (0.25, 0.45)
SHADOW = (0.10, 0.30)


@dataclass(frozen=True, slots=True)
class GlareSpot:
    """The mirror image of a lamp in the liquid; it turns with the scene."""

    distance_radii: float
    """Distance from the well's centre, in radii of the well."""
    angle_deg: float
    sigma_radii: float
    """Width of the Gaussian spot, in radii of the well."""
    amplitude: float
    """Brightness at its centre, relative to a perfect white."""


@dataclass(frozen=True, slots=True)
class Session:
    """One day: its light, the state of the camera and the lot of plates."""

    index: int
    split: Split | None
    """None where there are too few sessions to hold any back."""
    camera: str
    cool_fraction: float
    """Share of `COOL_LIGHT` in the light, the rest being `WARM_LIGHT`."""
    cct_kelvin: float
    """Correlated colour temperature of the light."""
    exposure_gain: float
    """Light times exposure, relative to nominal."""
    white_balance_gains: tuple[float, float, float]
    """Factors on raw R, G, B, G being 1: the exact balance times ``white_balance_error``."""
    white_balance_error: tuple[float, float]
    """What the automatic balance gets wrong: factors on R and B."""
    plate_reflectance: float
    """Of the plate's plastic, at 550 nm."""
    plate_slope_per_um: float
    """Relative change of the plate's reflectance per micrometre of wavelength: a lot's tint."""
    gradient_per_frame: float
    """Relative rise of the light over one frame, along a direction that turns with the scene."""
    vignette_tangent: float
    """Tangent of the field angle at one frame's edge from the axis."""
    shadow: float
    """Depth of the wall's shadow on the bottom, as a fraction of the light."""
    glare: tuple[GlareSpot, ...]

    @property
    def name(self) -> str:
        """Name in the session column of the labels."""
        return f"session-{self.index + 1:02d}"

    def light(self) -> Float64Array:
        """Return the light's relative spectral power, float64 ``[61]``."""
        return _light(self.cool_fraction)

    def raw_weights(self) -> Float64Array:
        """Return what each wavelength of a perfect white adds to the raw signals, float64 ``[3, 61]``.

        Fraction of full scale, order R, G, B: light times sensitivity, scaled by the exposure.
        """
        weights = camera_sensitivities(self.camera) * self.light()
        return np.asarray(weights * (WHITE_LEVEL * self.exposure_gain / weights[1].sum()), np.float64)

    def plate_spectrum(self) -> Float64Array:
        """Return the reflectance of the plate and of the well's bottom, float64 ``[61]``, 0 to 1."""
        return self.plate_reflectance * (1.0 + self.plate_slope_per_um * (WAVELENGTHS_NM - 550.0) * 1e-3)


def draw_sessions(seed: int, count: int, camera: str) -> tuple[Session, ...]:
    """Draw the sessions of a study; session k depends on ``seed``, k and (for its split) ``count`` only."""
    splits = assign_splits_to_sessions(count)
    return tuple(_draw_session(seed, k, splits[k], camera) for k in range(count))


def assign_splits_to_sessions(count: int) -> tuple[Split | None, ...]:
    """Hold whole sessions back: a sixth for testing, a sixth for validation, at least one of each.

    They are spread evenly, so that a study that is cut short still has all three. With fewer than three
    sessions none can be held back and every split is None.
    """
    if count < 3:
        return (None,) * count
    held = max(1, round(count / 6))
    splits: list[Split | None] = ["train"] * count
    for j in range(held):
        splits[math.floor((j + 0.5) * count / held) - 1] = "val"
        splits[math.floor((j + 1) * count / held) - 1] = "test"
    return tuple(splits)


def automatic_balance(
    camera: str, cool_fraction: float, error: tuple[float, float]
) -> tuple[float, float, float]:
    """Return the factors on raw R, G, B with which white is grey, but for the ``error`` on R and B."""
    red, green, blue = (camera_sensitivities(camera) * _light(cool_fraction)).sum(1)
    return float(green / red * error[0]), 1.0, float(green / blue * error[1])


def _draw_session(seed: int, index: int, split: Split | None, camera: str) -> Session:
    rng = generator(seed, SESSION, index)
    cool = float(rng.uniform(*COOL_FRACTION))
    exposure = 1.0 + EXPOSURE_SPREAD * float(rng.standard_normal())
    draws = 1.0 + BALANCE_SPREAD * rng.standard_normal(2)
    errors = (float(draws[0]), float(draws[1]))
    return Session(
        index=index,
        split=split,
        camera=camera,
        cool_fraction=cool,
        cct_kelvin=round(correlated_colour_temperature_kelvin(_light(cool)), 1),
        exposure_gain=exposure,
        white_balance_gains=automatic_balance(camera, cool, errors),
        white_balance_error=errors,
        plate_reflectance=float(rng.uniform(*PLATE_REFLECTANCE)),
        plate_slope_per_um=float(rng.uniform(*PLATE_SLOPE_PER_UM)),
        gradient_per_frame=float(rng.uniform(*GRADIENT_PER_FRAME)),
        vignette_tangent=float(rng.uniform(*VIGNETTE_TANGENT)),
        shadow=float(rng.uniform(*SHADOW)),
        glare=tuple(_draw_glare(rng) for _ in range(int(rng.integers(1, 4)))),
    )


def _draw_glare(rng: np.random.Generator) -> GlareSpot:
    return GlareSpot(
        distance_radii=float(rng.uniform(0.25, 0.80)),
        angle_deg=float(rng.uniform(0.0, 360.0)),
        sigma_radii=float(rng.uniform(0.03, 0.09)),
        amplitude=float(rng.uniform(0.25, 0.9)),
    )


def _light(cool_fraction: float) -> Float64Array:
    return (1.0 - cool_fraction) * illuminant(WARM_LIGHT) + cool_fraction * illuminant(COOL_LIGHT)
