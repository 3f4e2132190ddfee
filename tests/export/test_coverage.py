"""Levels and parts of the range that no training picture shows are named."""

from __future__ import annotations

import numpy as np

from analyte.contract.label import LabelSpec
from analyte.contract.run import RunSamples
from analyte.export.coverage import levels_missing

LABEL = LabelSpec(analyte="dye", unit="mg/L", range=(0.0, 10.0))


def samples(train: list[float], val: list[float]) -> RunSamples:
    pictures = [np.zeros((len(values), 1, 8, 8, 3), np.uint8) for values in (train, val)]
    sessions = [("day",) * len(values) for values in (train, val)]
    return RunSamples(pictures[0], np.array(train), sessions[0], pictures[1], np.array(val), sessions[1])


def test_levels_that_only_validation_has() -> None:
    (said,) = levels_missing(samples([0, 2, 10], [0, 5, 7.5, 10]), LABEL)
    assert "no training picture shows level 5, 7.5 mg/L" in said


def test_half_of_the_range() -> None:
    (said,) = levels_missing(samples([0, 1, 2, 3], [1, 2]), LABEL)
    assert "anything from 5 to 10 mg/L" in said


def test_a_gap_in_a_continuum_is_one_gap() -> None:
    train = [value for value in np.linspace(0, 10, 200).tolist() if not 4 <= value < 7]
    (said,) = levels_missing(samples(train, [1.0]), LABEL)
    assert "anything from 4 to 7 mg/L" in said


def test_nothing_is_missing() -> None:
    assert levels_missing(samples(np.linspace(0, 10, 60).tolist(), [3.3]), LABEL) == []
    assert levels_missing(samples([0, 5, 10], [0, 5]), LABEL) == []
