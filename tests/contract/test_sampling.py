"""A few samples stand for all: no session and no part of the range is left out."""

from __future__ import annotations

import numpy as np
import pytest

from analyte.contract.sampling import spread_over_levels


def test_few_samples_are_all_taken() -> None:
    assert spread_over_levels(np.array([3.0, 1.0, 2.0]), ["a", "b", "a"], 3) == [0, 1, 2]


@pytest.mark.parametrize("sessions", [1, 13, 60, 200, 3000])
def test_covers_the_range_and_the_sessions(sessions: int) -> None:
    random = np.random.default_rng(sessions)
    values = random.uniform(0.0, 100.0, 3000)
    names = [f"s{i % sessions}" for i in range(3000)]
    chosen = spread_over_levels(values, names, 512)
    assert len(set(chosen)) == len(chosen) == 512
    assert chosen == sorted(chosen)
    counts, _ = np.histogram(values[chosen], np.linspace(0.0, 100.0, 21))
    # An even choice has 25.6 in each twentieth.
    assert counts.min() >= 12
    if sessions <= 64:
        found = np.unique([names[i] for i in chosen], return_counts=True)[1]
        assert len(found) == sessions
        assert found.max() - found.min() <= 1


def test_small_sessions_give_all_they_have() -> None:
    values = np.arange(1000.0)
    names = ["rare"] * 10 + ["common"] * 990
    chosen = spread_over_levels(values, names, 100)
    assert set(range(10)) <= set(chosen)
    assert len(chosen) == 100
    assert 999 in chosen
