"""The error of an ideal observer who knows everything but the concentration.

The observer knows session, geometry, texture and processing of a picture exactly, and sees it before JPEG.
What is left is shot noise, read noise and two quantisations (12-bit converter, 8-bit picture). No unbiased
reading of one picture can have a smaller standard deviation than the Cramer-Rao bound

    sigma(c)^2 >= 1 / I(c),    I(c) = sum over pixels of m'(c)^T C^-1 m'(c)

where m' is the derivative of the pixel's mean R, G, B with respect to the concentration c, and C its
covariance (Kay, "Fundamentals of Statistical Signal Processing: Estimation Theory", 1993, equation 3.31,
without the term for a covariance that depends on c, which is smaller by twice the electrons per pixel).
Processing is linearised: C = J M diag(N + sigma_read^2 + q^2/12) M^T J + I/12, with M from electrons to
linear light, J the slope of the sRGB curve, and quantisation as noise of variance 1/12 step (Bennett, Bell
Syst. Tech. J. 27 (1948) 446). The noise floor is the root mean square of sigma(c) over the range.

JPEG is not included, and no instrument reaches the floor: an observer who must estimate light, exposure,
balance and depth of liquid from the picture is limited by these, not by noise (`reachable_floor`). The depth
alone, whose spread of 0.5 % (`scene.DEPTH_SPREAD`) no picture shows, costs 0.5 % of the value: about 1.1 ug/L
for nitrite.
"""

from __future__ import annotations

import math

import numpy as np

from analyte.contract.arrays import Float64Array
from analyte.train.simulator.sensor import (
    BLACK_LEVEL,
    FULL_WELL_ELECTRONS,
    RAW_MAXIMUM,
    READ_NOISE_ELECTRONS,
    Development,
    srgb_slope,
)
from analyte.train.simulator.studio import Specimen, Studio

FLOOR_SPECIMENS = 24
"""Values over the range for which the bound is computed; sessions and geometries vary along."""


def noise_floor(studio: Studio) -> float:
    """Return the root mean square of the bound over the range, in the label's unit."""
    low, high = studio.config.label.range
    values = low + (high - low) * (np.arange(FLOOR_SPECIMENS) + 0.5) / FLOOR_SPECIMENS
    variances = [
        bound(studio, studio.specimen(index), value=float(value)) ** 2 for index, value in enumerate(values)
    ]
    return math.sqrt(sum(variances) / len(variances))


def bound(studio: Studio, specimen: Specimen, *, value: float) -> float:
    """Return the smallest standard deviation with which one picture can be read, in the label's unit.

    ``value``: true value, in the label's unit, of the liquid in the specimen's well.
    """
    # The rounding of electrons to 1/1024 must stay far below the difference.
    step = 0.01 * studio.config.label.span
    low, high = max(value - step, studio.reaction.limits[0]), min(value + step, studio.reaction.limits[1])
    mean = studio.expected_electrons(specimen, value=value).reshape(3, -1)
    before = studio.expected_electrons(specimen, value=low).reshape(3, -1)
    after = studio.expected_electrons(specimen, value=high).reshape(3, -1)
    slope = (after - before) / (high - low)
    informative = np.any(slope != 0, axis=0)
    information = fisher_information(
        mean[:, informative], slope[:, informative], Development.of(specimen.session)
    )
    return 1.0 / math.sqrt(information)


def fisher_information(mean: Float64Array, slope: Float64Array, development: Development) -> float:
    """Return I(c) of the developed pixels, 1/unit^2.

    ``mean``: electrons ``[3, N]``, R, G, B; ``slope``: their derivative, electrons per unit ``[3, N]``.
    Channels that are clipped, in the raw signal or in the picture, tell nothing.
    """
    slope = np.where(mean < FULL_WELL_ELECTRONS, slope, 0.0)
    to_linear = development.matrix / FULL_WELL_ELECTRONS
    signal = 255.0 * srgb_slope(to_linear @ mean) * (to_linear @ slope)
    return float(np.sum(whitened(mean, signal[np.newaxis], development) ** 2))


def whitened(mean: Float64Array, signals: Float64Array, development: Development) -> Float64Array:
    """Return changes of a developed picture in standard deviations of its noise, float64 ``[P, 3 N]``.

    ``mean``: electrons ``[3, N]``, R, G, B. ``signals``: changes of the mean 8-bit picture with P properties,
    levels per unit ``[P, 3, N]``. With C = L L^T at each pixel they become L^-1 s, so that the products of
    two rows are the entries of the Fisher information.
    """
    step = FULL_WELL_ELECTRONS / (RAW_MAXIMUM - BLACK_LEVEL)
    variance = mean + READ_NOISE_ELECTRONS**2 + step**2 / 12.0
    to_linear = development.matrix / FULL_WELL_ELECTRONS
    gain = 255.0 * srgb_slope(to_linear @ mean)
    linear_covariance = np.einsum("ik,kn,jk->nij", to_linear, variance, to_linear)
    covariance = gain.T[:, :, np.newaxis] * linear_covariance * gain.T[:, np.newaxis, :] + np.eye(3) / 12.0
    lower = np.linalg.cholesky(covariance)
    rows = np.linalg.solve(lower, signals.transpose(2, 1, 0)).reshape(-1, len(signals)).T
    return np.asarray(rows, np.float64)
