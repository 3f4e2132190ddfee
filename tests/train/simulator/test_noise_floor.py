"""The ideal observer against one that is simulated."""

import math

import numpy as np
import pytest

from analyte.contract.arrays import Float64Array
from analyte.train.simulator.config import SimulationConfig
from analyte.train.simulator.noise_floor import bound, noise_floor
from analyte.train.simulator.sensor import Development, develop, digitise
from analyte.train.simulator.studio import Specimen, Studio


def test_the_bound_is_what_a_maximum_likelihood_reader_reaches() -> None:
    # The reader uses no formula of the bound: covariances and means are measured over many photographs.
    studio = Studio(SimulationConfig(samples=1, size_px=32, seed=5))
    specimen, value, offset = studio.specimen(4), 220.0, 10.0
    draws = 1500
    middle = _photographs(studio, specimen, value, draws, seed=1)
    slope = (
        _photographs(studio, specimen, value + offset, draws, seed=2).mean(0)
        - _photographs(studio, specimen, value - offset, draws, seed=3).mean(0)
    ) / (2 * offset)
    # The plate tells nothing; what it seems to tell is the noise of the slope.
    told = np.abs(slope).max(1) > 0.05
    middle, slope = middle[:, told], slope[told]
    mean = middle.mean(0)
    residual = middle - mean
    covariance = np.einsum("dni,dnj->nij", residual, residual) / draws
    weights = np.linalg.solve(covariance, slope[:, :, np.newaxis])[:, :, 0]
    information = float((weights * slope).sum())
    # The linear maximum-likelihood estimate of each of a fresh set of photographs.
    fresh = _photographs(studio, specimen, value, 600, seed=4)[:, told]
    estimates = value + ((fresh - mean) * weights).sum((1, 2)) / information
    assert abs(float(estimates.mean()) - value) < 5 * bound(studio, specimen, value=value)
    assert float(estimates.std()) == pytest.approx(bound(studio, specimen, value=value), rel=0.12)


def test_the_floor_falls_with_the_number_of_pixels() -> None:
    small, large = (noise_floor(Studio(SimulationConfig(size_px=size))) for size in (48, 96))
    assert small / large == pytest.approx(2.0, rel=0.1)


def test_the_floor_is_the_root_mean_square_over_the_range() -> None:
    studio = Studio(SimulationConfig(size_px=32))
    bounds = [
        bound(studio, studio.specimen(index), value=80 + 270 * (index + 0.5) / 24) for index in range(24)
    ]
    assert noise_floor(studio) == pytest.approx(math.sqrt(float(np.mean(np.square(bounds)))))


def _photographs(studio: Studio, specimen: Specimen, value: float, count: int, *, seed: int) -> Float64Array:
    """Developed pictures of one scene, float64 ``[count, pixels, 3]``."""
    rng = np.random.default_rng(seed)
    electrons = studio.expected_electrons(specimen, value=value)
    development = Development.of(specimen.session)
    pictures = [develop(digitise(electrons, rng), development) for _ in range(count)]
    return np.stack(pictures).reshape(count, -1, 3).astype(np.float64)
