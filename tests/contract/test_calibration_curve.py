"""The calibration curve is fitted honestly: the penalty is chosen on groups that the fit has not seen."""

from __future__ import annotations

import numpy as np
import pytest

from analyte.contract.arrays import UInt8Array
from analyte.contract.baseline import colour_features
from analyte.contract.calibration_curve import disagreement_limit, fit_baseline


def flat(colours: np.ndarray) -> UInt8Array:
    """Pictures of one colour each, ``[N, V, 16, 16, 3]``, from ``[N, V, 3]``."""
    images = np.empty((len(colours), colours.shape[1], 16, 16, 3), np.uint8)
    images[:] = colours[:, :, np.newaxis, np.newaxis]
    return images


@pytest.mark.parametrize("views", [1, 2])
def test_recovers_a_linear_law(views: int) -> None:
    rng = np.random.default_rng(0)
    colours = rng.integers(20, 240, (120, views, 3))
    values = 3.0 + 0.05 * colours[:, -1, 0] - 0.02 * colours[:, 0, 1]
    groups = [f"g{i % 10}" for i in range(120)]
    fitted = fit_baseline(flat(colours[:80]), values[:80], groups[:80])
    error = np.abs(fitted.predict(flat(colours[80:])) - values[80:])
    assert error.max() < 0.01 * np.ptp(values)
    assert fitted.penalty <= 1e-2


def test_recovers_beer_lambert() -> None:
    values = np.linspace(0.0, 10.0, 60)
    colours = np.rint(220.0 * 10.0 ** (-0.08 * values))[:, np.newaxis, np.newaxis] * np.ones((1, 1, 3))
    fitted = fit_baseline(flat(colours), values, [str(i) for i in range(60)])
    # Half a grey level of 30 is 0.09 mg/L.
    assert np.abs(fitted.predict(flat(colours)) - values).max() < 0.1


def test_penalty_is_chosen_over_groups() -> None:
    """Each group is one specimen photographed many times, whose colour says nothing about its value.

    By rows, its other photographs give the value away and hardly any penalty seems best; by groups, nothing
    can be learned, and the strongest penalty is.
    """
    rng = np.random.default_rng(1)
    specimens = rng.integers(20, 240, (12, 1, 3))
    values = rng.uniform(0.0, 10.0, 12)
    which = np.repeat(np.arange(12), 10)
    colours = np.clip(specimens[which] + rng.integers(-1, 2, (120, 1, 3)), 0, 255)
    grouped = fit_baseline(flat(colours), values[which], [str(i) for i in which])
    by_rows = fit_baseline(flat(colours), values[which], [str(i) for i in range(120)])
    assert by_rows.penalty < 10
    assert grouped.penalty >= 100


@pytest.mark.parametrize("groups", [1, 2, 3])
def test_few_groups(groups: int) -> None:
    colours = np.linspace(20, 240, 30)[:, np.newaxis, np.newaxis] * np.ones((1, 1, 3))
    values = np.linspace(0.0, 1.0, 30)
    fitted = fit_baseline(flat(colours), values, [f"g{i % groups}" for i in range(30)])
    assert np.abs(fitted.predict(flat(colours)) - values).max() < 0.05


def test_colour_that_never_changes() -> None:
    """A feature without variation must not divide by zero."""
    colours = np.full((20, 1, 3), 100)
    colours[:, 0, 0] = np.linspace(50, 200, 20)
    fitted = fit_baseline(flat(colours), np.linspace(0.0, 1.0, 20), [str(i) for i in range(20)])
    assert np.isfinite(fitted.predict(flat(colours))).all()


@pytest.mark.parametrize("groups", [1, 4, 9])
def test_equals_scikit_learn(groups: int) -> None:
    """The same penalty and weights as a grid search over the same folds by a library that many trust."""
    pytest.importorskip("sklearn", reason="scikit-learn comes with the extra train")
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GridSearchCV, GroupKFold, KFold

    rng = np.random.default_rng(groups)
    colours = rng.integers(20, 240, (90, 1, 3))
    values = 0.05 * colours[:, 0, 0] + rng.normal(0.0, 1.0, 90)
    names = [f"g{i % groups}" for i in rng.integers(0, 1000, 90)]
    fitted = fit_baseline(flat(colours), values, names)
    features = colour_features(flat(colours))
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    folds = (
        GroupKFold(min(5, groups)).split(features, values, names) if groups > 1 else KFold(5).split(features)
    )
    grid = {"alpha": [10.0**power for power in range(-4, 5)]}
    search = GridSearchCV(Ridge(), grid, scoring="neg_mean_absolute_error", cv=list(folds))
    search.fit(features, values)
    assert fitted.penalty == search.best_params_["alpha"]
    assert fitted.weights == pytest.approx(search.best_estimator_.coef_, rel=1e-6)
    assert fitted.intercept == pytest.approx(search.best_estimator_.intercept_)


def test_disagreement_limit_by_hand() -> None:
    assert disagreement_limit(np.array([1.0, 5.0, 2.0]), np.array([1.5, 3.0, 2.0])) == 3.0
