"""The histogram head: labels spread over bins and read back as a mean."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from analyte.contract.label import LabelSpec
from analyte.train.heads.histogram import BINS, HEAD, bin_edges, targets
from analyte.train.label_scale import LabelScale

SCALES = {
    "scale": LabelScale.of(LabelSpec(analyte="a", unit="mg/L", range=(0.0, 10.0)), "scale"),
    "none": LabelScale.of(LabelSpec(analyte="a", unit="pH", range=(-3.0, 14.5)), "none"),
    "log": LabelScale.of(LabelSpec(analyte="a", unit="mol/L", range=(1e-9, 5e-7)), "log"),
}
every_scale = pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)


@every_scale
def test_bins_reach_beyond_both_ends(scale: LabelScale) -> None:
    edges = bin_edges(scale)
    assert edges.shape == (BINS + 1,)
    assert edges[0] < scale.low
    assert edges[-1] > scale.high
    np.testing.assert_allclose(np.diff(edges), np.diff(edges)[0], rtol=1e-6)


@every_scale
def test_rows_sum_to_one(scale: LabelScale) -> None:
    """Also for labels far outside of all bins."""
    reach = 5.0 * (scale.high - scale.low)
    rows = targets(np.linspace(scale.low - reach, scale.high + reach, 101), scale)
    assert (rows.dtype, rows.shape) == (np.float32, (101, BINS))
    assert (rows >= 0).all()
    np.testing.assert_allclose(rows.sum(axis=1, dtype=np.float64), 1.0, atol=1e-6)


@every_scale
def test_mean_gives_the_label_back(scale: LabelScale) -> None:
    """Also at the ends of the range, where a Gaussian that lost a tail would pull the mean inward."""
    edges = bin_edges(scale)
    centres, width = (edges[1:] + edges[:-1]) / 2, edges[1] - edges[0]
    z = np.linspace(scale.low, scale.high, 101)
    rows = targets(z, scale).astype(np.float64)
    means = rows @ centres / rows.sum(axis=1)
    assert float(np.abs(means - z).max()) < 0.01 * width


@every_scale
def test_a_certain_network(scale: LabelScale) -> None:
    """Logits that are the logarithm of the target give the label, and the smallest sigma."""
    edges = bin_edges(scale)
    width = edges[1] - edges[0]
    z = np.linspace(scale.low, scale.high, 11)
    head = HEAD.build(keras.Input((4,)), scale)
    model = keras.Model(head.fitted, {"z": head.z, "sigma": head.sigma})
    out = model(np.log(targets(z, scale).astype(np.float64) + 1e-12).astype(np.float32))
    found, sigma = (keras.ops.convert_to_numpy(out[name]).astype(np.float64) for name in ("z", "sigma"))
    np.testing.assert_allclose(found, z, rtol=0, atol=0.01 * width)
    assert (sigma > 0).all()
    assert (sigma < 0.3 * width).all()


@every_scale
def test_sigma_grows_with_doubt(scale: LabelScale) -> None:
    head = HEAD.build(keras.Input((4,)), scale)
    out = keras.Model(head.fitted, {"z": head.z, "sigma": head.sigma})(np.zeros((1, BINS), np.float32))
    edges = bin_edges(scale)
    span = scale.high - scale.low
    # A uniform distribution over all bins: the middle, and the width of all of them over the root of 12.
    assert float(out["z"][0]) == pytest.approx((scale.low + scale.high) / 2, abs=1e-5 * span)
    assert float(out["sigma"][0]) == pytest.approx((edges[-1] - edges[0]) / 12**0.5, rel=0.01)
