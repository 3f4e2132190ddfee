"""The inner edge of a well near a rough guess: sub-pixel edge points, and the circle they agree on."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from analyte.contract.arrays import Float32Array, UInt8Array

_ANGLES = 96
_STEP = 0.01
"""Between the samples along a radius, radii of the guess."""
_WALL = 1.22
"""Largest outer radius of a wall, inner radii: of two rings that near, the inner is the well."""
_TOLERANCE = 0.015
"""How far an edge may lie from a circle that it supports, radii."""
_SHARP = 0.006
"""The same for telling an edge from a shadow, which is spread."""
_LEAST_CONTRAST = 0.5
"""Weakest edge, grey levels per sample."""
_NOISE_FACTOR = 3.0
"""Weakest edge, medians of the gradient around."""
_LEAST_SUPPORT = 0.8
"""Share of the circumference that must show an edge of the wall."""
_LEAST_INNER = 0.3
"""The same, of the inner edge where both are seen."""
_LEAST_ALONE = 0.8
"""The same, where one edge is seen: with less it may be the outer one of a clear liquid's wall."""
_LEAST_QUARTER = 0.25
"""The same, of every quarter of it."""

_RING_SHARE = 0.35
"""What the inner of two rings must show, of what the better one shows."""
_GAP_SHARE = 0.35
"""Most that may be seen between two rings, of what the inner one shows."""

_SLOPE = np.array([-1, -2, 0, 2, 1], np.float32) / 8
_SMOOTH = np.array([1, 3, 4, 3, 1], np.float32) / 12
_NEIGHBOURS = np.ones((1, 5), np.uint8)
_SHIFTS = (
    np.stack(np.meshgrid(*[np.linspace(-0.15, 0.15, 15)] * 2), axis=-1).reshape(-1, 2).astype(np.float32)
)
"""Offsets of the centre from the guess that are tried, ``[225, 2]``, radii."""

BoolArray = npt.NDArray[np.bool_]

_TURNS = np.arange(_ANGLES, dtype=np.float32) * np.float32(2 * np.pi / _ANGLES)
_COS, _SIN = np.cos(_TURNS), np.sin(_TURNS)


@dataclass(frozen=True, slots=True)
class Circle:
    """A circle that was found."""

    x: float
    """Centre from the left edge of the frame, pixels."""
    y: float
    """Centre from its top edge, pixels."""
    radius: float
    """Pixels."""
    support: float
    """Share of the circumference on which an edge was seen, 0 to 1."""


def fit_edge(pixels: UInt8Array, x: float, y: float, radius: float) -> Circle | None:
    """Return the circle near a guess, all in pixels; None where too little of a circumference is there.

    ``pixels``: uint8 ``[H, W, 3]``. The guess may be off by 0.15 radii in centre and radius.
    """
    points = _edge_points(pixels, x, y, radius, (0.70, 1.45))
    fitted = _agreed(points)
    rings: tuple[float, ...] = ()
    for spread, width in ((0.035, _TOLERANCE), (0.02, _SHARP)):
        if fitted is None:
            return None
        x, y, radius = x + fitted[0] * radius, y + fitted[1] * radius, radius * fitted[2]
        points = _edge_points(pixels, x, y, radius, (0.78, 1.30))
        rings = _rings(points, max(width, 0.35 / radius))
        fitted = _fitted(points, rings, max(spread, 1.5 * points.tolerance))
    if fitted is None:
        return None
    dx, dy, inner = fitted[:3]
    inner_seen, seen = (_seen(points, fitted, count) for count in (1, len(rings)))
    if inner_seen.mean() < (_LEAST_ALONE if len(rings) == 1 else _LEAST_INNER):
        return None
    if seen.mean() < _LEAST_SUPPORT:
        return None
    if seen.reshape(4, -1).mean(axis=1).min() < _LEAST_QUARTER:
        return None
    return Circle(x + dx * radius, y + dy * radius, radius * inner, float(seen.mean()))


@dataclass(frozen=True, slots=True)
class _Points:
    """Edge points around a guessed circle, in its radii."""

    angle: npt.NDArray[np.int64]
    """Number of the ray, ``[N]``."""
    rho: Float32Array
    """Distance from the guessed centre, ``[N]``, radii."""
    tolerance: float
    """Radii."""


def _edge_points(pixels: UInt8Array, x: float, y: float, radius: float, span: tuple[float, float]) -> _Points:
    """Find the places where the picture changes along the rays of a circle, but not across them.

    ``span``: nearest and farthest, radii.
    """
    step = max(_STEP, 0.7 / radius)
    rho = np.arange(span[0], span[1], step, dtype=np.float32)
    turns = np.arange(-2, _ANGLES + 2)  # two more at either end: the circle is closed
    reach = np.float32(radius) * rho[None, :]
    polar = cv2.remap(
        pixels,
        np.float32(x - 0.5) + _COS[turns % _ANGLES, None] * reach,
        np.float32(y - 0.5) + _SIN[turns % _ANGLES, None] * reach,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    along = cv2.sepFilter2D(polar, cv2.CV_32F, _SLOPE, _SMOOTH)[2:-2]
    across = cv2.sepFilter2D(polar, cv2.CV_32F, _SMOOTH, _SLOPE)[2:-2]
    edge = _strongest(along)
    least = max(_LEAST_CONTRAST, _NOISE_FACTOR * float(np.median(edge[::3])))
    # A step across the rays, in the length of one along them.
    across_strength = _strongest(across) * np.float32(step * _ANGLES / (2 * np.pi))
    peak = (edge >= cv2.dilate(edge, _NEIGHBOURS)) & (edge >= least) & (edge >= 1.7 * across_strength)
    peak[:, :2] = peak[:, -2:] = False
    angle, at = np.nonzero(peak)
    before, here, after = edge[angle, at - 1], edge[angle, at], edge[angle, at + 1]
    offset = 0.5 * (before - after) / np.minimum(before - 2 * here + after, -1e-6)
    return _Points(
        angle,
        (rho[at] + step * np.clip(offset, -0.5, 0.5)).astype(np.float32),
        max(_TOLERANCE, 0.9 / radius),
    )


def _strongest(gradient: cv2.typing.MatLike) -> Float32Array:
    """Return the largest magnitude of the three channels, ``[A, J]`` of ``[A, J, 3]``."""
    blue, green, red = cv2.split(np.abs(gradient))
    return np.asarray(cv2.max(cv2.max(blue, green), red), np.float32)


def _agreed(points: _Points) -> tuple[float, ...] | None:
    """Return centre and inner radius that most points agree on, in radii, the centre from the guess.

    By counting, one circle or two concentric ones as of a wall: along a clear liquid either edge of the
    wall may be faint, and a single circle would be drawn through half of the one and half of the other.
    """
    width = points.tolerance
    bins = int(2.0 / width)
    distance = points.rho[None] - _SHIFTS @ np.stack([_COS[points.angle], _SIN[points.angle]])
    at = np.rint(distance / width).astype(np.int64)
    flat = (at + np.arange(len(_SHIFTS))[:, None] * bins).ravel()
    counts = np.bincount(flat, minlength=len(_SHIFTS) * bins).reshape(len(_SHIFTS), bins)
    total = counts[:, 1:] + counts[:, :-1]
    outer = np.zeros_like(total)
    for gap in range(max(2, int(0.03 / width)), int((_WALL - 1) / width) + 1):
        np.maximum(outer[:, :-gap], total[:, gap:], out=outer[:, :-gap])
    best, size = np.unravel_index(int((total + outer).argmax()), total.shape)
    if total[best, size] < 0.3 * _ANGLES:
        return None
    return float(_SHIFTS[best, 0]), float(_SHIFTS[best, 1]), (float(size) + 0.5) * width


def _rings(points: _Points, width: float) -> tuple[float, ...]:
    """Return the radii of the ring that most rays show and of one beside it, from the inside to the
    outside.

    ``width``: half of what an edge may be spread over, radii. The rings are about the guessed centre.
    """
    # Half a bin at either end of five.
    fine = width / 2.5
    seen = np.zeros((_ANGLES, int(1.32 / fine)), np.uint8)
    seen[points.angle, (points.rho / fine).astype(np.int64)] = 1
    shares = cv2.dilate(seen, _NEIGHBOURS).mean(axis=0)
    main = int(shares.argmax())
    ratio = (np.arange(len(shares)) + 0.5) / (main + 0.5)
    gap = max(0.03, 2 * width)
    inside = np.where((ratio < 1 - gap) & (ratio > 1 / _WALL), shares, 0.0)
    inner = int(inside.argmax())
    # A shadow in the well grows towards the edge without a gap; between the edges of a wall there is
    # one.
    least = shares[inner : main + 1].min()
    if inside[inner] >= _RING_SHARE * shares[main] and least <= _GAP_SHARE * inside[inner]:
        return (inner + 0.5) * fine, (main + 0.5) * fine
    outside = np.where((ratio > 1 + gap) & (ratio < _WALL), shares, 0.0)
    if outside.max() >= _RING_SHARE * shares[main]:
        return (main + 0.5) * fine, (float(outside.argmax()) + 0.5) * fine
    return ((main + 0.5) * fine,)


def _fitted(points: _Points, rings: tuple[float, ...], spread: float) -> tuple[float, ...] | None:
    """Return centre and radii of concentric rings, in radii, by least squares with Tukey's weights.

    ``rings``: about where they are; points farther than ``spread`` from one do not count.
    For small shifts a circle is rho = r + dx cos(angle) + dy sin(angle).
    """
    fitted: tuple[float, ...] = (0.0, 0.0, *rings)
    normal, right = np.zeros((2 + len(rings),) * 2), np.zeros(2 + len(rings))
    for _ in range(3):
        normal[:], right[:] = np.eye(len(right)) * 1e-6, 0.0
        for number in range(len(rings)):
            angle, rho, residual = _around(points, fitted, number, spread)
            weight = (1 - (residual / spread) ** 2) ** 2
            design = np.zeros((len(right), len(angle)))
            design[0], design[1], design[2 + number] = _COS[angle], _SIN[angle], 1.0
            normal += (design * weight) @ design.T
            right += (design * weight) @ rho
        if normal[2, 2] < 5:
            return None
        fitted = tuple(float(v) for v in np.linalg.solve(normal, right))
    return fitted


def _around(
    points: _Points, fitted: tuple[float, ...], ring: int, spread: float
) -> tuple[npt.NDArray[np.int64], Float32Array, Float32Array]:
    """Return rays, radii and residuals of the points within ``spread`` of a ring."""
    shift = fitted[0] * _COS[points.angle] + fitted[1] * _SIN[points.angle]
    residual = points.rho - shift.astype(np.float32) - np.float32(fitted[2 + ring])
    near = np.abs(residual) < spread
    return points.angle[near], points.rho[near], residual[near]


def _seen(points: _Points, fitted: tuple[float, ...], rings: int) -> BoolArray:
    """Return for each ray whether it shows one of the first rings."""
    seen = np.zeros(_ANGLES, np.bool_)
    for number in range(rings):
        seen[_around(points, fitted, number, points.tolerance)[0]] = True
    return seen
