"""Refitting undoes what quantization does to features on average."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analyte.contract.run import load_samples
from analyte.export.calibration import calibration_pictures
from analyte.export.head_refit import refit
from analyte.export.keras_to_onnx import keras_to_onnx
from analyte.export.quantize_onnx import quantize_onnx
from analyte.export.trained_model import FeatureCorrection, load_model, predict, with_correction
from analyte.runtime.engines.registry import open_engine
from export.uneven_networks import unbalanced
from train.tiny_studies import random_pictures


def test_recovers_gain_and_offset() -> None:
    rng = np.random.default_rng(0)
    exact = rng.normal(0.0, 1.0, (400, 6)).astype(np.float32)
    gain, offset = rng.uniform(0.8, 1.2, 6), rng.normal(0.0, 0.1, 6)
    quantized = (exact * gain + offset).astype(np.float32)
    found = refit(quantized, exact)
    # A ridge of a thousandth pulls the gains by about as much.
    np.testing.assert_allclose(found.gain, 1.0 / gain, rtol=2e-3)
    np.testing.assert_allclose(quantized * found.gain + found.offset, exact, atol=0.01)


def test_mean_is_exact_whatever_the_noise() -> None:
    """Bias of a feature becomes bias of the value: it has to go altogether."""
    rng = np.random.default_rng(1)
    exact = rng.normal(2.0, 0.5, (300, 4)).astype(np.float32)
    quantized = (exact + rng.normal(0.3, 0.4, exact.shape)).astype(np.float32)
    found = refit(quantized, exact)
    corrected = quantized * found.gain + found.offset
    np.testing.assert_allclose(corrected.mean(axis=0), exact.mean(axis=0), atol=1e-5)
    # Least squares under noise never amplifies it.
    assert (found.gain < 1.0).all()
    assert (found.gain > 0.4).all()


def test_dead_and_quiet_features_keep_their_gain() -> None:
    rng = np.random.default_rng(2)
    exact = np.zeros((200, 3), np.float32)
    exact[:, 0] = rng.normal(0.0, 1.0, 200)
    quantized = exact.copy()
    quantized[:, 1] += 0.25  # dead, moved
    quantized[:, 2] = rng.normal(0.0, 1e-4, 200)  # noise where nothing should be
    found = refit(quantized, exact)
    np.testing.assert_allclose(found.gain, 1.0, atol=1e-3)
    np.testing.assert_allclose(found.offset[1], -0.25, atol=1e-5)


def test_nothing_to_correct() -> None:
    exact = np.random.default_rng(3).normal(size=(50, 5)).astype(np.float32)
    found = refit(exact, exact)
    np.testing.assert_allclose(found.gain, 1.0, atol=1e-6)
    np.testing.assert_allclose(found.offset, 0.0, atol=1e-6)


def test_corrected_model_uses_the_corrected_features(one_view_run: Path) -> None:
    model = load_model(one_view_run / "model.keras")
    pictures = random_pictures(4, 1)
    before = predict(model, pictures)
    count = before.features.shape[1]
    none = FeatureCorrection(np.ones(count, np.float32), np.zeros(count, np.float32))
    np.testing.assert_allclose(predict(with_correction(model, none), pictures).value, before.value, atol=1e-4)
    gain, offset = np.full(count, 0.5, np.float32), np.full(count, 0.25, np.float32)
    after = predict(with_correction(model, FeatureCorrection(gain, offset)), pictures)
    np.testing.assert_allclose(after.features, before.features * 0.5 + 0.25, atol=1e-5)
    assert float(np.abs(after.value - before.value).max()) > 1e-3


def test_brings_the_quantized_network_nearer_to_keras(two_view_run: Path) -> None:
    """On validation pictures, which neither calibrated nor refitted anything."""
    model = unbalanced(load_model(two_view_run / "model.keras"))
    samples = load_samples(two_view_run)
    calibration = calibration_pictures(samples.train_images)
    draft = quantize_onnx(keras_to_onnx(model), calibration)
    engine = open_engine(draft, "onnx")
    quantized = engine.run(calibration).features
    correction = refit(quantized, predict(model, calibration).features)
    exact = predict(model, samples.val_images)
    raw = engine.run(samples.val_images)
    engine.close()
    corrected = raw.features * correction.gain + correction.offset
    before, after = (
        float(np.abs((features - exact.features).mean(axis=0)).mean())
        for features in (raw.features, corrected)
    )
    assert after < 0.7 * before, f"bias of the features {after:.3g} with, {before:.3g} without correction"


@pytest.mark.parametrize("rows", [1, 2])
def test_hardly_any_pictures(rows: int) -> None:
    exact = np.random.default_rng(4).normal(size=(rows, 3)).astype(np.float32)
    found = refit(exact + np.float32(0.5), exact)
    assert np.isfinite(found.gain).all()
    assert np.isfinite(found.offset).all()
