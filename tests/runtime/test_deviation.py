"""Deviations and what is gated."""

from __future__ import annotations

import numpy as np
import pytest

from analyte.contract.arrays import Float32Array, UInt8Array
from analyte.runtime.deviation import MeasuredDeviation, measure_deviation
from analyte.runtime.engines.protocol import EngineInfo, GraphShape, Prediction


class Constant:
    """Gives zero for every sample, and notes the size of each run."""

    info = EngineInfo("onnx", "cpu", 1, "test", "0")
    shape = GraphShape(4, 1, 2)

    def __init__(self) -> None:
        self.runs: list[int] = []

    def run(self, images: UInt8Array, covariates: Float32Array | None = None) -> Prediction:
        self.runs.append(len(images))
        zeros = np.zeros(len(images), np.float32)
        return Prediction(zeros, zeros + 0.5, zeros[:, np.newaxis])

    def close(self) -> None:
        pass


def measure(reference: list[float], batch: int = 4) -> tuple[MeasuredDeviation, list[int]]:
    engine = Constant()
    images = np.zeros((len(reference), 1, 2, 2, 3), np.uint8)
    return measure_deviation(engine, images, np.array(reference), batch), engine.runs


def test_statistics_and_batches() -> None:
    deviation, runs = measure([-1.0] * 9 + [2.0])
    assert runs == [4, 4, 2]
    assert (deviation.batch, deviation.n, deviation.max) == (4, 10, 2.0)
    assert deviation.mean == pytest.approx(1.1)
    assert deviation.p99 == pytest.approx(1.91)  # linear between the ranks 8.91 of 0 to 9


def test_float32_is_gated_by_its_maximum_and_int8_by_its_percentile() -> None:
    deviation, _ = measure([0.1] * 500 + [5.0])
    assert not deviation.passes("float32", 0.2)
    assert deviation.passes("int8", 0.2)
    assert deviation.passes("float32", 5.0)
    assert not deviation.passes("int8", 0.05)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_not_finite_never_passes(bad: float) -> None:
    deviation, _ = measure([0.0] * 500 + [bad])
    assert not deviation.passes("float32", float("inf"))
    assert not deviation.passes("int8", float("inf"))


def test_unequal_lengths() -> None:
    with pytest.raises(ValueError, match="2 images, 1 reference"):
        measure_deviation(Constant(), np.zeros((2, 1, 2, 2, 3), np.uint8), np.zeros(1), 1)


@pytest.mark.parametrize(
    ("reference", "float32", "int8"),
    [
        (0.5, True, True),
        (0.498, True, True),
        (0.55, False, True),
        (0.65, False, False),
        (0.025, False, False),
    ],
)
def test_sigma_is_gated_too(reference: float, float32: bool, int8: bool) -> None:
    """Intervals are made of sigma: an engine whose sigma is another has wrong intervals."""
    images = np.zeros((8, 1, 2, 2, 3), np.uint8)
    sigma = np.full(8, reference, np.float32)
    deviation = measure_deviation(Constant(), images, np.zeros(8), 4, sigma=sigma)
    assert deviation.sigma_ratio == pytest.approx(0.5 / reference)
    assert deviation.passes("float32", 1.0) is float32
    assert deviation.passes("int8", 1.0) is int8


@pytest.mark.parametrize("of_eight", [1, 8])
def test_sigma_that_is_not_finite_never_passes(of_eight: int) -> None:
    images = np.zeros((8, 1, 2, 2, 3), np.uint8)
    sigma = np.full(8, 0.5, np.float32)
    sigma[:of_eight] = np.nan
    deviation = measure_deviation(Constant(), images, np.zeros(8), 4, sigma=sigma)
    assert not deviation.passes("int8", 1.0)
