"""The distance from the training pictures: by a library, by hand, and what its limit lets through."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.covariance import LedoitWolf

from analyte.contract.errors import IntegrityError
from analyte.contract.foreign import ForeignCalibration, calibrate_foreign

FEATURES = 12


def sessions(
    rng: np.random.Generator, count: int, each: int = 30, *, drift: float = 1.0
) -> tuple[np.ndarray, list[str]]:
    """Features on a curve, as a value moves them, with a shift per session that differs by direction."""
    value = rng.uniform(0, 1, count * each)
    curve = np.stack([np.sin((k + 1) * value) for k in range(FEATURES)], axis=1)
    scale = 0.3 / (1 + np.arange(FEATURES))
    shift = drift * rng.normal(0, scale, (count, FEATURES))
    group = np.repeat(np.arange(count), each)
    noise = 0.5 * rng.normal(0, scale, curve.shape)
    return curve + shift[group] + noise, [f"{drift}/{count}/{index}" for index in group]


def calibrated(seed: int = 0, *, train: int = 8, val: int = 2) -> ForeignCalibration:
    rng = np.random.default_rng(seed)
    features, groups = sessions(rng, train)
    val_features, val_groups = sessions(rng, val)
    return calibrate_foreign(
        features, val_features, train_groups=groups, val_groups=[f"v{g}" for g in val_groups]
    )


def test_distance_is_that_of_the_library() -> None:
    features, groups = sessions(np.random.default_rng(1), 6)
    found = calibrate_foreign(features, features, train_groups=groups, val_groups=groups)
    peer = LedoitWolf().fit(features)
    others = features[:20] + np.random.default_rng(2).normal(size=(20, FEATURES))
    # 16 directions hold all of 12 features but one, whose variance is its own: nothing is approximated.
    np.testing.assert_allclose(found.score(others) ** 2, peer.mahalanobis(others), rtol=1e-4)


def test_what_is_left_out_of_the_directions_counts() -> None:
    """40 features of which only 3 vary much: a move along any other is many standard deviations."""
    rng = np.random.default_rng(3)
    features = rng.normal(0, [5.0] * 3 + [0.1] * 37, (400, 40))
    groups = [str(i % 8) for i in range(400)]
    found = calibrate_foreign(features, features, train_groups=groups, val_groups=groups)
    assert len(found.variances) == 16
    moves = np.zeros((2, 40))
    moves[0, 0] = moves[1, 39] = 2.0
    near, far = found.score(np.asarray(found.mean) + moves)
    assert near < 0.5 < 10.0 < far


@pytest.mark.parametrize("sizes", [(8, 2), (12, 1), (4, 4)])
def test_new_sessions_pass_and_foreign_features_do_not(sizes: tuple[int, int]) -> None:
    train, val = sizes
    refused, foreign = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        features, groups = sessions(rng, train)
        held, held_groups = sessions(rng, val)
        found = calibrate_foreign(
            features, held, train_groups=groups, val_groups=[f"v{g}" for g in held_groups]
        )
        assert (found.groups, found.refused) == (train + val, 0.02)
        refused.append(np.mean(found.score(sessions(rng, 20)[0]) > found.limit))
        foreign.append(np.mean(found.score(rng.uniform(-1, 1, (200, FEATURES))) > found.limit))
    # Fewer than calibrated: the limit has headroom for integer artifacts.
    assert np.mean(refused) <= 0.02
    assert np.mean(foreign) >= 0.95


def test_training_sessions_are_held_out_when_the_limit_is_set() -> None:
    """One validation session that happens to lie close must not make the limit narrow."""
    rng = np.random.default_rng(5)
    features, groups = sessions(rng, 8, drift=3.0)
    close = features[:30]
    found = calibrate_foreign(features, close, train_groups=groups, val_groups=["v"] * 30)
    assert np.mean(found.score(sessions(rng, 40, drift=3.0)[0]) > found.limit) <= 0.05
    assert found.limit > 1.3 * found.score(close).max()


def test_one_training_session() -> None:
    rng = np.random.default_rng(6)
    features, groups = sessions(rng, 1, 60)
    held, _ = sessions(rng, 1, 60)
    found = calibrate_foreign(features, held, train_groups=groups, val_groups=["v"] * 60)
    assert found.groups == 1
    assert np.all(found.score(held) <= found.limit)


def test_features_that_never_vary() -> None:
    """Rounding in another engine is no foreign picture, and anything else is."""
    constant = np.full((20, 6), 0.7)
    groups = [str(i % 4) for i in range(20)]
    found = calibrate_foreign(constant, constant, train_groups=groups, val_groups=groups)
    assert found.score(constant * (1 + 1e-6)).max() <= found.limit
    assert found.score(constant + 0.5).min() > found.limit


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e38])
def test_features_that_are_no_numbers_are_never_within_the_limit(bad: float) -> None:
    found = calibrated()
    features = np.zeros((1, FEATURES), np.float32)
    features[0, 3] = bad
    assert not found.score(features) <= found.limit


def test_one_short_line_of_json() -> None:
    found = calibrated()
    text = found.model_dump_json(indent=2)
    # 12 features and 11 directions: 4 bytes a number, a third more as base64.
    assert len(text) < 1.4 * 4 * (12 + 12 * 11 + 11) + 300
    assert len(text.splitlines()) < 12
    again = ForeignCalibration.model_validate(json.loads(text))
    assert again == found
    features = np.random.default_rng(0).normal(size=(5, FEATURES))
    np.testing.assert_array_equal(again.score(features), found.score(features))


@pytest.mark.parametrize(
    "changes",
    [
        {"mean": "no base64!"},
        {"mean": "AAA="},
        {"directions": ""},
        {"variances": (0.0,) * 11},
        {"rest": 0.0},
        {"limit": float("inf")},
        {"limit": float("nan")},
    ],
)
def test_damaged(changes: dict[str, object]) -> None:
    data = calibrated().model_dump(mode="json") | changes
    with pytest.raises(ValidationError):
        ForeignCalibration.model_validate(data)


def test_another_number_of_features() -> None:
    with pytest.raises(IntegrityError, match=r"expected \[N, 12\]; got \[3, 5\]"):
        calibrated().score(np.zeros((3, 5)))


def test_what_cannot_be_calibrated() -> None:
    good, names = np.zeros((4, 3)), ["a"] * 4
    for train, val, train_groups in (
        (good, np.zeros((4, 2)), names),
        (good, np.zeros((0, 3)), names),
        (good, good, names[:3]),
        (np.full((4, 3), np.nan), good, names),
    ):
        with pytest.raises(ValueError, match="expected"):
            calibrate_foreign(train, val, train_groups=train_groups, val_groups=["v"] * len(val))


def test_equal_after_use() -> None:
    """What is worked out once must not stand in the way of comparing records and manifests."""
    one, two = calibrated(), calibrated()
    one.score(np.zeros((1, FEATURES)))
    assert one == two
    two.score(np.zeros((1, FEATURES)))
    assert one == two
