"""The calibration curve: its features by hand, a linear law recovered, the same after JSON."""

from __future__ import annotations

import math

import numpy as np
import pytest
from pydantic import ValidationError

from analyte.contract.arrays import UInt8Array
from analyte.contract.baseline import Baseline, colour_features


def flat(*colours: tuple[int, int, int], size: int = 8) -> UInt8Array:
    """Return pictures ``[1, V, S, S, 3]``, one colour per view."""
    return np.broadcast_to(
        np.array(colours, np.uint8)[np.newaxis, :, np.newaxis, np.newaxis], (1, len(colours), size, size, 3)
    ).copy()


def test_features_by_hand() -> None:
    (found,) = colour_features(flat((255, 51, 0)))
    linear = [1.0, 0.2, 0.0, 0.0, -math.log10(0.2), math.log10(255)]
    assert found == pytest.approx(linear + [x * x for x in linear])


def test_later_views_are_compared_with_the_first() -> None:
    (found,) = colour_features(flat((200, 200, 200), (100, 50, 20)))
    assert found.size == 2 * (6 + 6 + 3)
    assert found[12:15] == pytest.approx([math.log10(2), math.log10(4), math.log10(10)])


def test_rim_does_not_count() -> None:
    image = flat((10, 20, 30))
    inner = image.copy()
    image[:, :, :2] = image[:, :, -2:] = 255
    image[:, :, :, :2] = image[:, :, :, -2:] = 255
    assert (colour_features(image) == colour_features(inner)).all()


def fitted() -> tuple[Baseline, UInt8Array]:
    """A curve fitted by least squares to a law that is linear in the absorbance of green."""
    images = np.concatenate(
        [flat((r, g, 90)) for r, g in zip(range(10, 90, 4), range(250, 50, -10), strict=True)]
    )
    features = colour_features(images)
    mean, scale = features.mean(axis=0), features.std(axis=0)
    scale[scale < 1e-12] = 1.0
    values = law(images)
    weights = np.linalg.lstsq((features - mean) / scale, values - values.mean(), rcond=1e-12)[0]
    curve = Baseline(
        mean=tuple(mean.tolist()),
        scale=tuple(scale.tolist()),
        weights=tuple(weights.tolist()),
        intercept=float(values.mean()),
        penalty=0.0,
    )
    return curve, images


def law(images: UInt8Array) -> np.ndarray:
    return 3.0 - 40.0 * np.log10(images[:, 0, 4, 4, 1] / 255.0)


def test_recovers_a_linear_law() -> None:
    curve, images = fitted()
    assert curve.predict(images) == pytest.approx(law(images), abs=1e-6)


def test_json_gives_the_same_predictions_to_the_last_bit() -> None:
    curve, images = fitted()
    again = Baseline.model_validate_json(curve.model_dump_json())
    assert again == curve
    assert (again.predict(images) == curve.predict(images)).all()


@pytest.mark.parametrize(
    "change",
    [{"weights": (1.0,)}, {"scale": (1.0, 0.0)}, {"scale": (1.0, math.nan)}, {"mean": ()}, {"penalty": -1.0}],
)
def test_inconsistent_curves(change: dict[str, object]) -> None:
    good = {"mean": (0.0, 0.0), "scale": (1.0, 1.0), "weights": (1.0, 1.0), "intercept": 0.0, "penalty": 1.0}
    Baseline.model_validate(good)
    with pytest.raises(ValidationError):
        Baseline.model_validate(good | change)


def test_equal_after_use() -> None:
    """What is worked out once must not stand in the way of comparing records and manifests."""
    (one, images), (two, _) = fitted(), fitted()
    one.predict(images)
    assert one == two
    two.predict(images)
    assert one == two
