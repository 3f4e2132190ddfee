"""What the properties that nobody tells an observer cost."""

import math

import numpy as np
import pytest

from analyte.train.simulator.config import SimulationConfig
from analyte.train.simulator.noise_floor import noise_floor
from analyte.train.simulator.reachable_floor import DEPTH, PROPERTIES, reachable_floor
from analyte.train.simulator.scene import DEPTH_SPREAD
from analyte.train.simulator.studio import Studio

STUDIO = Studio(SimulationConfig(size_px=48))


def test_who_knows_everything_is_the_ideal_observer() -> None:
    assert reachable_floor(STUDIO, ()) == pytest.approx(noise_floor(STUDIO), rel=0.02)


def test_an_unseen_depth_costs_its_share_of_the_value() -> None:
    """Twice the depth at half the concentration looks the same, but for the meniscus."""
    values = 80 + 270 * (np.arange(24) + 0.5) / 24
    expected = math.hypot(noise_floor(STUDIO), DEPTH_SPREAD * float(np.sqrt(np.mean(values**2))))
    assert reachable_floor(STUDIO, (DEPTH,)) == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("name", PROPERTIES)
def test_ignorance_never_helps(name: str) -> None:
    alone = reachable_floor(STUDIO, (name,))
    assert alone >= reachable_floor(STUDIO, ()) * (1 - 1e-9)
    assert reachable_floor(STUDIO) > alone
