"""The well and what surrounds it: from geometry, session and reaction to the light on the sensor.

A well of a 24-well plate, white bottom, seen from above: light enters the liquid, is scattered back by the
bottom and leaves, so that it crosses the liquid twice. Coordinates are relative to the well: radii of the
well, turned by the scene's rotation. Everything is float64, so that rounding hides the order of summation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from analyte.contract.arrays import Float64Array
from analyte.train.simulator.chemistry import Reaction
from analyte.train.simulator.seeds import GEOMETRY, generator
from analyte.train.simulator.sessions import Session

WELL_RADIUS_MM = 7.8
"""24-well plate: 15.6 mm across."""
LIQUID_DEPTH_MM = 10.0
"""Mean depth: 1.9 mL."""
DEPTH_SPREAD = 0.005
"""Relative standard deviation of the filled volume: a good pipette."""
FLICKER_SPREAD = 0.004
"""Relative standard deviation of the lamp's brightness from one photograph to the next."""
CAPILLARY_LENGTH_MM = 2.7
"""sqrt(surface tension / (density * gravity)) of water."""
SURFACE_REFLECTANCE = 0.02
"""Fresnel reflection of water at normal incidence: ((1.33 - 1) / (1.33 + 1))^2."""
WELL_RADIUS = (0.33, 0.41)
"""Smallest and largest inner radius of a well in a photograph, frames."""
MOST_OFFSET = 0.07
"""Farthest that a well's centre lies from the frame's along either edge, frames."""
CONTACT_DEG = (45.0, 65.0)
"""Smallest and largest contact angle of the liquid on the wall: water on polystyrene."""
RIM_RADII = 1.07
"""Outer edge of the well's wall, in radii of the well."""
REFERENCE_REFLECTANCE = 0.90
"""Of the white reference patch, at every wavelength."""

_PROFILE_NODES = 512


@dataclass(frozen=True, slots=True)
class Geometry:
    """How one specimen lies before the camera."""

    center_x: float
    """Well's centre from the left edge, in frames (pixels / size)."""
    center_y: float
    """Well's centre from the top edge, in frames."""
    radius: float
    """Well's inner radius, in frames."""
    rotation_deg: float
    """Turns light gradient, shadow and glare."""
    liquid_depth_mm: float
    """Mean depth of the liquid: volume over area."""
    meniscus_rise_mm: float
    """Height of the curved surface at the wall above the level that it approaches far from any wall."""
    light: float
    """Brightness of this photograph relative to its session: the lamp's flicker."""


def draw_geometry(seed: int, index: int) -> Geometry:
    """Draw the geometry of sample ``index``; the well with its rim always lies within the frame."""
    rng = generator(seed, GEOMETRY, index)
    radius = float(rng.uniform(*WELL_RADIUS))
    room = min(0.5 - RIM_RADII * radius - 0.015, MOST_OFFSET)
    offset = rng.uniform(-room, room, 2)
    contact = float(rng.uniform(*CONTACT_DEG))
    return Geometry(
        center_x=0.5 + float(offset[0]),
        center_y=0.5 + float(offset[1]),
        radius=radius,
        rotation_deg=float(rng.uniform(0.0, 360.0)),
        liquid_depth_mm=LIQUID_DEPTH_MM * (1.0 + DEPTH_SPREAD * float(rng.standard_normal())),
        meniscus_rise_mm=meniscus_rise_mm(contact),
        light=1.0 + FLICKER_SPREAD * float(rng.standard_normal()),
    )


def meniscus_rise_mm(contact_deg: float) -> float:
    """Return how high a liquid climbs at a wall: h = l sqrt(2 (1 - sin theta)), l the capillary length."""
    return CAPILLARY_LENGTH_MM * math.sqrt(2.0 * (1.0 - math.sin(math.radians(contact_deg))))


@dataclass(frozen=True, slots=True)
class Frame:
    """The pixels of a picture and where the square that holds the well lies in it."""

    height: int
    width: int
    left: int
    top: int
    size: int
    """Edge of the square, pixels: the unit "frame" of `Geometry`."""

    @classmethod
    def square(cls, size: int) -> Frame:
        """Return a picture that is nothing but the square."""
        return cls(size, size, 0, 0, size)

    def grid(self) -> tuple[Float64Array, Float64Array]:
        """Return pixel centres in frames from the square's corner: x ``[1, W]`` and y ``[H, 1]``."""
        x = (np.arange(self.width) + 0.5 - self.left) / self.size
        y = (np.arange(self.height) + 0.5 - self.top) / self.size
        return x[np.newaxis, :], y[:, np.newaxis]


def liquid_depth_mm(rho: Float64Array, geometry: Geometry) -> Float64Array:
    """Return the depth of the liquid, mm, at distances ``rho`` (0 to 1) from the centre in radii.

    Linearised Young-Laplace equation in a cylinder: z(r) = rise * I0(r / l) / I0(R / l) above a base, l being
    the capillary length (Landau & Lifshitz, Fluid Mechanics, section 61). The base keeps the volume: the mean
    of I0(r / l) over the disc is 2 I1(x) / x with x = R / l, and I1 = dI0/dx.
    """
    x = WELL_RADIUS_MM / CAPILLARY_LENGTH_MM
    shape = np.i0(x * rho) / np.i0(x)
    slope = float(np.i0(x + 1e-4) - np.i0(x - 1e-4)) / 2e-4
    mean = 2.0 * slope / (x * float(np.i0(x)))
    return np.asarray(geometry.liquid_depth_mm + geometry.meniscus_rise_mm * (shape - mean), np.float64)


def liquid_profile(reaction: Reaction, value: float, session: Session, geometry: Geometry) -> Float64Array:
    """Return the raw signals of the well's bottom seen through the liquid, float64 ``[512, 3]``, R, G, B.

    Rows run from the centre to the wall. For each: sum over wavelengths of light * sensitivity * bottom *
    10^(-a * 2 depth), with the surface crossed twice. Per node, not per pixel: this is what makes it fast.
    """
    rho = np.linspace(0.0, 1.0, _PROFILE_NODES)
    path_cm = 2.0 * liquid_depth_mm(rho, geometry) / 10.0
    transmission = np.exp(-math.log(10.0) * path_cm[:, np.newaxis] * reaction.absorption_per_cm(value))
    weights = session.raw_weights() * session.plate_spectrum() * (1.0 - SURFACE_REFLECTANCE) ** 2
    return np.asarray(transmission @ weights.T, np.float64)


def expose_well(
    profile: Float64Array, session: Session, geometry: Geometry, frame: Frame, texture: Float64Array
) -> Float64Array:
    """Return a photograph's raw signals without noise, float64 ``[3, H, W]``, R, G, B, 0 to 1 = full scale.

    ``profile``: of `liquid_profile`. ``texture``: of `plate_texture`, ``[H, W]``.
    Signals above full scale are kept: the sensor clips them.
    """
    x, y = frame.grid()
    u, v, rho = _well_coordinates(x, y, geometry)
    edge = geometry.radius * frame.size / (0.6 + 0.003 * frame.size)  # the lens blurs edges over this width
    well = np.clip((1.0 - rho) * edge + 0.5, 0.0, 1.0)
    rim = np.clip((RIM_RADII - rho) * edge + 0.5, 0.0, 1.0) - well
    facing = u / np.maximum(rho, 1e-6)
    light = _illumination(x, y, session, geometry)
    plate = light * (1.0 + texture) * (1.0 - well - rim * (0.16 - 0.14 * facing))
    # The bottom's texture is blurred by the liquid above it.
    bottom = well * light * (1.0 + 0.3 * texture) * _wall_shadow(u, v, rho, session)
    surface = well * geometry.light * (SURFACE_REFLECTANCE + _glare(u, v, session))
    weights = session.raw_weights()
    plate_raw = (weights * session.plate_spectrum()).sum(1)
    white_raw = weights.sum(1)
    nodes = np.linspace(0.0, 1.0, _PROFILE_NODES)
    raw = np.empty((3, frame.height, frame.width))
    for channel in range(3):
        seen = np.interp(rho, nodes, profile[:, channel])
        raw[channel] = plate * plate_raw[channel] + bottom * seen + surface * white_raw[channel]
    return raw


def expose_reference(
    session: Session, geometry: Geometry, frame: Frame, texture: Float64Array
) -> Float64Array:
    """Return the raw signals of the white patch in the same light, without noise; as `expose_well`."""
    x, y = frame.grid()
    patch = REFERENCE_REFLECTANCE * _illumination(x, y, session, geometry) * (1.0 + 0.3 * texture)
    return np.asarray(session.raw_weights().sum(1)[:, np.newaxis, np.newaxis] * patch, np.float64)


def plate_texture(rng: np.random.Generator, frame: Frame) -> Float64Array:
    """Draw the relative unevenness of a surface, float64 ``[H, W]``: clouds, mottle and grain, about 1 %."""
    clouds = _smooth_noise(rng, frame, 6) * 0.006 + _smooth_noise(rng, frame, 36) * 0.004
    return np.asarray(clouds + 0.005 * rng.standard_normal((frame.height, frame.width)), np.float64)


def _well_coordinates(
    x: Float64Array, y: Float64Array, geometry: Geometry
) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Coordinates ``[H, W]`` turned with the scene, and distance from the centre, in radii of the well."""
    turn = math.radians(geometry.rotation_deg)
    dx, dy = (x - geometry.center_x) / geometry.radius, (y - geometry.center_y) / geometry.radius
    u = dx * math.cos(turn) + dy * math.sin(turn)
    v = dy * math.cos(turn) - dx * math.sin(turn)
    return u, v, np.sqrt(u * u + v * v)


def _illumination(x: Float64Array, y: Float64Array, session: Session, geometry: Geometry) -> Float64Array:
    """Light on the plate ``[H, W]``, 1 in the middle: gradient, flicker and the lens's cos^4 falloff."""
    turn = math.radians(geometry.rotation_deg)
    along = (x - 0.5) * math.cos(turn) + (y - 0.5) * math.sin(turn)
    tangent2 = session.vignette_tangent**2 * ((x - 0.5) ** 2 + (y - 0.5) ** 2)
    falloff = 1.0 / (1.0 + tangent2) ** 2
    return np.asarray(geometry.light * falloff * (1.0 + session.gradient_per_frame * along), np.float64)


def _wall_shadow(u: Float64Array, v: Float64Array, rho: Float64Array, session: Session) -> Float64Array:
    """What the wall leaves of the light on the bottom ``[H, W]``: darker all round, most on the lit side."""
    ring = 0.10 * np.clip(rho, 0.0, 1.0) ** 6
    crescent = np.clip((np.sqrt((u - 0.10) ** 2 + v * v) - 0.84) / 0.26, 0.0, 1.0)
    smooth = crescent * crescent * (3.0 - 2.0 * crescent)
    return np.asarray(1.0 - ring - session.shadow * smooth, np.float64)


def _glare(u: Float64Array, v: Float64Array, session: Session) -> Float64Array:
    total = np.zeros_like(u)
    for spot in session.glare:
        angle = math.radians(spot.angle_deg)
        du = u - spot.distance_radii * math.cos(angle)
        dv = v - spot.distance_radii * math.sin(angle)
        total += spot.amplitude * np.exp(-(du * du + dv * dv) / (2.0 * spot.sigma_radii**2))
    return total


def _smooth_noise(rng: np.random.Generator, frame: Frame, cells: int) -> Float64Array:
    """Isotropic noise ``[H, W]`` of unit variance with about ``cells`` blobs per frame.

    White noise on a grid, spread by Gaussians: separable, hence two small matrix products.
    """
    rows, columns = _spread(frame.height, frame.size, cells), _spread(frame.width, frame.size, cells)
    return np.asarray(rows @ rng.standard_normal((rows.shape[1], columns.shape[1])) @ columns.T, np.float64)


def _spread(pixels: int, size: int, cells: int) -> Float64Array:
    nodes = np.arange(-2.0, math.ceil(pixels / size * cells) + 3.0)
    distance = (np.arange(pixels)[:, np.newaxis] + 0.5) / size * cells - nodes
    kernel = np.exp(-(distance**2))
    return np.asarray(kernel / np.sqrt((kernel**2).sum(1, keepdims=True)), np.float64)
