"""The head: labels spread over bins and read back as a mean."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from analyte.contract.label import LabelSpec
from analyte.train.histogram_head import BINS, bin_edges, histogram_head, targets

LABELS = [
    LabelSpec(analyte="a", unit="mg/L", range=(0.0, 10.0)),
    LabelSpec(analyte="a", unit="pH", range=(-3.0, 14.5)),
    LabelSpec(analyte="a", unit="1", range=(1e6, 1e6 + 2.0)),
    LabelSpec(analyte="a", unit="mol/L", range=(1e-9, 5e-7)),
]
every_label = pytest.mark.parametrize("label", LABELS, ids=lambda label: label.unit)


def values_over(label: LabelSpec) -> np.ndarray:
    return np.linspace(label.low, label.high, 101)


@every_label
def test_bins_reach_beyond_both_ends(label: LabelSpec) -> None:
    edges = bin_edges(label)
    assert edges.shape == (BINS + 1,)
    assert edges[0] < label.low
    assert edges[-1] > label.high
    np.testing.assert_allclose(np.diff(edges), np.diff(edges)[0], rtol=1e-3)


@every_label
def test_rows_sum_to_one(label: LabelSpec) -> None:
    rows = targets(values_over(label), label)
    assert (rows.dtype, rows.shape) == (np.float32, (101, BINS))
    assert (rows >= 0).all()
    np.testing.assert_allclose(rows.sum(axis=1, dtype=np.float64), 1.0, atol=1e-6)


@every_label
def test_mean_gives_the_label_back(label: LabelSpec) -> None:
    """Also at the ends of the range, where a Gaussian that lost a tail would pull the mean inward."""
    edges = bin_edges(label)
    centres, width = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0]
    values = values_over(label)
    rows = targets(values, label).astype(np.float64)
    means = rows @ (centres - label.low) / rows.sum(axis=1) + label.low
    assert float(np.abs(means - values).max()) < 0.01 * width


@every_label
def test_value_of_a_certain_network(label: LabelSpec) -> None:
    """Logits that are the logarithm of the target give the label, and the smallest sigma."""
    edges = bin_edges(label)
    width = edges[1] - edges[0]
    values = np.linspace(label.low, label.high, 11)
    features = keras.Input((4,))
    head = histogram_head(features, label)
    moments = keras.Model(head.logits, {"value": head.value, "sigma": head.sigma})
    out = moments(np.log(targets(values, label).astype(np.float64) + 1e-12).astype(np.float32))
    value, sigma = (keras.ops.convert_to_numpy(out[name]).astype(np.float64) for name in ("value", "sigma"))
    # A hundredth of a bin, and what float32 can hold at all so far from zero.
    resolution = float(np.spacing(np.float32(max(abs(label.low), abs(label.high)))))
    np.testing.assert_allclose(value, values, rtol=0, atol=0.01 * width + resolution)
    assert (sigma > 0).all()
    assert (sigma < 0.3 * width).all()


def test_sigma_grows_with_doubt() -> None:
    label = LABELS[0]
    features = keras.Input((4,))
    head = histogram_head(features, label)
    model = keras.Model(head.logits, {"value": head.value, "sigma": head.sigma})
    out = model(np.zeros((1, BINS), np.float32))
    edges = bin_edges(label)
    # A uniform distribution over all bins: the middle, and the width of all of them over the root of 12.
    assert float(out["value"][0]) == pytest.approx((label.low + label.high) / 2, abs=1e-5)
    assert float(out["sigma"][0]) == pytest.approx((edges[-1] - edges[0]) / 12**0.5, rel=0.01)
