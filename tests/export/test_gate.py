"""The gate at its edges: what passes, what does not, and in whose unit it says so."""

from __future__ import annotations

import numpy as np
import pytest

from analyte.contract.arrays import Float32Array, UInt8Array
from analyte.contract.foreign import ForeignCalibration
from analyte.contract.manifest import Precision
from analyte.export.gate import (
    FOREIGN_GROWTH,
    MAE_GROWTH,
    MAE_SLACK_OF_RANGE,
    TOLERANCE_OF_RANGE,
    Judged,
    Verdict,
    judge,
)
from analyte.runtime.deviation import SIGMA_TOLERANCE
from analyte.runtime.engines.protocol import EngineInfo, GraphShape, Prediction

SPAN = 200.0
N = 100


class Said:
    """An engine whose value is Keras' value, taken from the first pixels, plus an error per picture.

    Its one feature is 0, or 3 for as many pictures as are to be foreign.
    """

    def __init__(self, error: np.ndarray, sigma: float, foreign: int = 0) -> None:
        self.error = error
        self.sigma = sigma
        self.foreign = foreign

    @property
    def info(self) -> EngineInfo:
        raise NotImplementedError

    @property
    def shape(self) -> GraphShape:
        raise NotImplementedError

    def run(self, images: UInt8Array, covariates: Float32Array | None = None) -> Prediction:
        index = images[:, 0, 0, 0, 0].astype(int)
        value = (index + self.error[index]).astype(np.float32)
        features = np.where(index < self.foreign, 3.0, 0.0).astype(np.float32)[:, np.newaxis]
        return Prediction(value, np.full_like(value, self.sigma), features)

    def close(self) -> None:
        pass


def verdict(
    error: np.ndarray,
    precision: Precision,
    true_error: float = 0.0,
    sigma: float = 1.0,
    *,
    foreign: int = 0,
    score: ForeignCalibration | None = None,
) -> Verdict:
    """``error``: of the engine against Keras, whose sigma is 1; ``true_error``: of Keras to the truth."""
    images = np.zeros((N, 1, 8, 8, 3), np.uint8)
    images[:, 0, 0, 0, 0] = np.arange(N)
    value = np.arange(N, dtype=np.float32)
    features = np.zeros((N, 1), np.float32)
    features[0] = 3.0
    keras = Prediction(value, np.ones_like(value), features)
    data = Judged(images, value.astype(np.float64) - true_error, keras, score)
    return judge(Said(error, sigma, foreign), precision, data, SPAN)


def test_tolerances_are_those_that_were_decided() -> None:
    """Loosening one is a decision, not an accident."""
    integers = ("dynamic", "int8", "int8-strict", "int16x8")
    assert {"float32": 1e-5, "float16": 2e-3, **dict.fromkeys(integers, 1e-2)} == TOLERANCE_OF_RANGE
    assert {"float32": 0.01, "float16": 0.02, **dict.fromkeys(integers, 0.2)} == SIGMA_TOLERANCE
    assert {name: growth for name, growth in MAE_GROWTH.items() if growth != 0.02} == {"int8-strict": 0.05}
    assert (MAE_SLACK_OF_RANGE, FOREIGN_GROWTH) == (1e-3, 0.02)


@pytest.mark.parametrize(("factor", "passes"), [(0.9, True), (1.1, False)])
def test_float32_is_judged_by_its_worst_picture(factor: float, passes: bool) -> None:
    error = np.zeros(N)
    error[17] = factor * 1e-5 * SPAN
    found = verdict(error, "float32")
    assert (not found.problems) is passes
    assert found.deviation.tolerance == pytest.approx(1e-5 * SPAN)
    assert found.deviation.max == pytest.approx(factor * 1e-5 * SPAN, rel=1e-2)
    if not passes:
        assert "max deviation 0.0022 exceeds the tolerance 0.002" in found.problems[0]


@pytest.mark.parametrize(("bad", "passes"), [(1, True), (5, False)])
def test_int8_is_judged_by_its_99th_percentile(bad: int, passes: bool) -> None:
    error = np.zeros(N)
    error[:bad] = 1.5 * 1e-2 * SPAN
    found = verdict(error, "int8", true_error=50.0)
    assert (not found.problems) is passes


@pytest.mark.parametrize(("bias", "passes"), [(0.19, True), (0.21, False)])
def test_small_errors_have_slack(bias: float, passes: bool) -> None:
    """Keras is perfect here: a thousandth of the range, 0.2, may be added, and no more."""
    assert (not verdict(np.full(N, bias), "int8").problems) is passes


@pytest.mark.parametrize(("bias", "passes"), [(0.9, True), (1.1, False)])
def test_bias_on_top_of_large_errors(bias: float, passes: bool) -> None:
    """Two percent of Keras' own error of 50."""
    found = verdict(np.full(N, bias), "int8", true_error=50.0)
    assert (not found.problems) is passes
    assert (found.deviation.mae, found.deviation.mae_keras) == (pytest.approx(50.0 + bias), 50.0)


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_not_a_number_never_passes(precision: Precision) -> None:
    error = np.zeros(N)
    error[3] = np.nan
    assert verdict(error, precision).problems


@pytest.mark.parametrize(
    ("precision", "sigma", "passes"),
    [
        ("float32", 1.009, True),
        ("float32", 1.011, False),
        ("float32", 0.989, False),
        ("int8", 1.19, True),
        ("int8", 1.21, False),
        ("int8", 0.79, False),
        ("int8", np.nan, False),
    ],
)
def test_intervals_hang_on_sigma(precision: Precision, sigma: float, passes: bool) -> None:
    """Values that are all right do not excuse an interval that is not."""
    assert (not verdict(np.zeros(N), precision, sigma=sigma).problems) is passes


def test_error_against_the_labels_is_no_deviation_from_keras() -> None:
    """The golden set is judged by deviation alone: its few pictures say nothing of mean errors."""
    found = verdict(np.full(N, 0.5), "int8")
    assert found.problems
    assert not found.deviation_problems


SCORE = ForeignCalibration(
    mean=(0.0,), directions=(), variances=(), rest=1.0, limit=2.0, refused=0.02, groups=4
)


@pytest.mark.parametrize(("foreign", "passes"), [(0, True), (3, True), (4, False), (100, False)])
def test_good_pictures_that_only_the_artifact_finds_foreign(foreign: int, passes: bool) -> None:
    """Keras finds one of a hundred foreign; two more are as many again as the limit is made for."""
    found = verdict(np.zeros(N), "int8", foreign=foreign, score=SCORE)
    assert (not found.problems) is passes
    assert (found.deviation.foreign, found.deviation.foreign_keras) == (foreign / N, 0.01)
    if not passes:
        assert f"{foreign} % of the good pictures count as foreign (Keras: 1 %)" in found.problems[0]


def test_without_a_score_nothing_is_foreign() -> None:
    found = verdict(np.zeros(N), "int8", foreign=100)
    assert not found.problems
    assert (found.deviation.foreign, found.deviation.foreign_keras) == (None, None)
