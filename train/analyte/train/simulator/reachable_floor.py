"""The error of a good observer who has the picture only: about what a network on this data can reach.

The ideal observer of `noise_floor` knows everything but the concentration. This one knows how such studies
are made, hence the spread of every property of session and geometry, but none of their values: each has to
be found in the same picture. With a Gaussian prior, linearised about the true values, the variance left is

    sigma(c)^2 = [(J + P)^-1]_cc,    J_pq = sum over pixels of d_p m'^T C^-1 d_q m'

with d_p m the change of a pixel's mean R, G, B with the property p, C its covariance, and P the inverse
variances of the properties, zero for the concentration (the Bayesian linear model: Kay, as in `noise_floor`,
chapter 10). Uniform properties count as Gaussian ones of equal variance, and J is taken at each specimen's
own values: an approximation, no strict bound. Texture and highlights count as known and JPEG is left out,
which makes it smaller. A single picture is read: what several of a session share is not used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from analyte.contract.arrays import Float64Array
from analyte.train.simulator.noise_floor import FLOOR_SPECIMENS, whitened
from analyte.train.simulator.scene import (
    CONTACT_DEG,
    DEPTH_SPREAD,
    FLICKER_SPREAD,
    LIQUID_DEPTH_MM,
    MOST_OFFSET,
    RIM_RADII,
    WELL_RADIUS,
    Geometry,
    meniscus_rise_mm,
)
from analyte.train.simulator.sensor import FULL_WELL_ELECTRONS, Development, encode_srgb
from analyte.train.simulator.sessions import (
    BALANCE_SPREAD,
    COOL_FRACTION,
    EXPOSURE_SPREAD,
    GRADIENT_PER_FRAME,
    PLATE_REFLECTANCE,
    PLATE_SLOPE_PER_UM,
    SHADOW,
    VIGNETTE_TANGENT,
    Session,
    automatic_balance,
)
from analyte.train.simulator.studio import Specimen, Studio

_STEP = 0.02
"""Step of the central differences, in standard deviations."""


@dataclass(frozen=True, slots=True)
class Property:
    """Something about a picture that an observer has to find in it."""

    spread: float
    """Standard deviation over studies, in its own unit."""
    shifted: Callable[[Specimen, float], Specimen]
    """The specimen with the property changed by a number in its own unit."""


def _of_session(change: Callable[[Session, float], Session]) -> Callable[[Specimen, float], Specimen]:
    return lambda specimen, by: replace(specimen, session=change(specimen.session, by))


def _of_geometry(change: Callable[[Geometry, float], Geometry]) -> Callable[[Specimen, float], Specimen]:
    return lambda specimen, by: replace(specimen, geometry=change(specimen.geometry, by))


def _light(session: Session, by: float) -> Session:
    cool = session.cool_fraction + by
    gains = automatic_balance(session.camera, cool, session.white_balance_error)
    return replace(session, cool_fraction=cool, white_balance_gains=gains)


def _balance(channel: int) -> Callable[[Session, float], Session]:
    def change(session: Session, by: float) -> Session:
        errors = list(session.white_balance_error)
        errors[channel] += by
        error = (errors[0], errors[1])
        gains = automatic_balance(session.camera, session.cool_fraction, error)
        return replace(session, white_balance_error=error, white_balance_gains=gains)

    return change


def _even(bounds: tuple[float, float]) -> float:
    """Return the standard deviation of what is drawn evenly between two bounds."""
    return abs(bounds[1] - bounds[0]) / math.sqrt(12.0)


# As in `scene.draw_geometry`, for a well of middle size: the room beside it ends what can be drawn.
_ROOM = min(0.5 - RIM_RADII * sum(WELL_RADIUS) / 2 - 0.015, MOST_OFFSET)
_PLACE = _even((-_ROOM, _ROOM))
DEPTH = "depth of the liquid"
PROPERTIES: Mapping[str, Property] = {
    DEPTH: Property(
        DEPTH_SPREAD * LIQUID_DEPTH_MM,
        _of_geometry(lambda g, by: replace(g, liquid_depth_mm=g.liquid_depth_mm + by)),
    ),
    "meniscus": Property(
        _even((meniscus_rise_mm(CONTACT_DEG[0]), meniscus_rise_mm(CONTACT_DEG[1]))),
        _of_geometry(lambda g, by: replace(g, meniscus_rise_mm=g.meniscus_rise_mm + by)),
    ),
    "flicker": Property(FLICKER_SPREAD, _of_geometry(lambda g, by: replace(g, light=g.light + by))),
    "place, x": Property(_PLACE, _of_geometry(lambda g, by: replace(g, center_x=g.center_x + by))),
    "place, y": Property(_PLACE, _of_geometry(lambda g, by: replace(g, center_y=g.center_y + by))),
    "radius": Property(_even(WELL_RADIUS), _of_geometry(lambda g, by: replace(g, radius=g.radius + by))),
    "rotation": Property(
        _even((0.0, 360.0)), _of_geometry(lambda g, by: replace(g, rotation_deg=g.rotation_deg + by))
    ),
    "light's colour": Property(_even(COOL_FRACTION), _of_session(_light)),
    "exposure": Property(
        EXPOSURE_SPREAD, _of_session(lambda s, by: replace(s, exposure_gain=s.exposure_gain + by))
    ),
    "balance, red": Property(BALANCE_SPREAD, _of_session(_balance(0))),
    "balance, blue": Property(BALANCE_SPREAD, _of_session(_balance(1))),
    "plate": Property(
        _even(PLATE_REFLECTANCE),
        _of_session(lambda s, by: replace(s, plate_reflectance=s.plate_reflectance + by)),
    ),
    "plate's tint": Property(
        _even(PLATE_SLOPE_PER_UM),
        _of_session(lambda s, by: replace(s, plate_slope_per_um=s.plate_slope_per_um + by)),
    ),
    "gradient": Property(
        _even(GRADIENT_PER_FRAME),
        _of_session(lambda s, by: replace(s, gradient_per_frame=s.gradient_per_frame + by)),
    ),
    "vignetting": Property(
        _even(VIGNETTE_TANGENT),
        _of_session(lambda s, by: replace(s, vignette_tangent=s.vignette_tangent + by)),
    ),
    "shadow": Property(_even(SHADOW), _of_session(lambda s, by: replace(s, shadow=s.shadow + by))),
}
"""What differs between pictures, with the spreads that `sessions` and `scene` draw from."""


def reachable_floor(studio: Studio, unknown: Iterable[str] = PROPERTIES) -> float:
    """Return the root mean square error over the range when ``unknown`` must be found, label's unit.

    ``unknown``: names of `PROPERTIES`; everything else is known.
    """
    names = tuple(unknown)
    low, high = studio.config.label.range
    values = low + (high - low) * (np.arange(FLOOR_SPECIMENS) + 0.5) / FLOOR_SPECIMENS
    variances = [
        _variance(studio, studio.specimen(index), float(value), names) for index, value in enumerate(values)
    ]
    return math.sqrt(sum(variances) / len(variances))


def _variance(studio: Studio, specimen: Specimen, value: float, unknown: tuple[str, ...]) -> float:
    def mean_picture(of: Specimen, at: float) -> Float64Array:
        electrons = studio.expected_electrons(of, value=at).reshape(3, -1)
        linear = Development.of(of.session).matrix @ (np.minimum(electrons / FULL_WELL_ELECTRONS, 1.0))
        return 255.0 * encode_srgb(np.clip(linear, 0.0, 1.0))

    step = 0.01 * studio.config.label.span
    slopes = [(mean_picture(specimen, value + step) - mean_picture(specimen, value - step)) / (2 * step)]
    certainties = [0.0]
    for name in unknown:
        entry = PROPERTIES[name]
        by = _STEP * entry.spread
        more, less = (mean_picture(entry.shifted(specimen, sign * by), value) for sign in (1.0, -1.0))
        slopes.append((more - less) / (2 * by))
        certainties.append(1.0 / entry.spread**2)
    mean = studio.expected_electrons(specimen, value=value).reshape(3, -1)
    seen = whitened(mean, np.stack(slopes), Development.of(specimen.session))
    information = seen @ seen.T + np.diag(certainties)
    return float(np.linalg.inv(information)[0, 0])
