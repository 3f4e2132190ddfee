"""Limits learned from good photographs."""

from __future__ import annotations

import numpy as np
import pytest

from analyte.contract.arrays import Float64Array
from analyte.contract.errors import InputError, SettingsError
from analyte.contract.sections.quality import LightLimits, QualitySection
from analyte.runtime.quality.figures import FigureName
from analyte.runtime.quality.learning import LEARNED, Learned, learn


def good(n: int, seed: int = 0, views: int = 1) -> dict[FigureName, Float64Array]:
    """Figures of photographs that vary by a tenth; no clipping."""
    rng = np.random.default_rng(seed)
    figures: dict[FigureName, Float64Array] = {
        "exposure": 0.4 * np.exp(rng.normal(0, 0.1, (n, views))),
        "light": 0.6 * np.exp(rng.normal(0, 0.1, (n, views))),
        "clipped": np.zeros((n, views)),
        "focus": 0.2 * np.exp(rng.normal(0, 0.1, (n, views))),
        "glare": np.abs(rng.normal(0, 0.01, (n, views))),
    }
    return figures


def by_name(learned: list[Learned]) -> dict[str, Learned]:
    return {one.name: one for one in learned}


def flagged(learned: list[Learned], n: int) -> float:
    return float(np.mean([any(one.finding(at) for one in learned) for at in range(n)]))


def on_others(learned: list[Learned], figures: dict[FigureName, Float64Array]) -> list[Learned]:
    """The same limits with other photographs' figures."""
    found: list[Learned] = []
    for one in learned:
        level = one.limits.level if isinstance(one.limits, LightLimits) else 1.0
        rows = figures[one.name] / level
        found.append(Learned(one.name, rows.min(axis=1), rows.max(axis=1), one.limits))
    return found


@pytest.mark.parametrize("n", [20, 100, 1000])
def test_photographs_of_the_same_kind_are_flagged_no_more_often_than_asked(n: int) -> None:
    shares = [
        flagged(on_others(learn(good(n, seed), false_alarms=0.05), good(300, 1000 + seed)), 300)
        for seed in range(20)
    ]
    assert np.mean(shares) < 0.05


def test_more_false_alarms_mean_tighter_limits() -> None:
    loose, tight = (by_name(learn(good(500), false_alarms=share)) for share in (0.001, 0.2))
    for name in ("focus", "exposure"):
        low, high = loose[name].limits.flag_below, tight[name].limits.flag_below
        assert low is not None
        assert high is not None
        assert low < high


def test_what_is_bad_is_found() -> None:
    learned = by_name(learn(good(100), false_alarms=0.01))
    limits = learned["focus"].limits
    assert limits.flag_below is not None
    assert limits.refuse_below is not None
    assert 0.05 < limits.refuse_below < limits.flag_below < 0.2
    assert (limits.flag_above, limits.refuse_above) == (None, None)
    assert learned["exposure"].limits.refuse_above is not None
    assert learned["clipped"].limits.flag_below is None


def test_limits_do_not_rest_on_a_few_pixels() -> None:
    """No photograph has a clipped pixel, all have the same exposure: the limits still leave room."""
    figures = good(50)
    figures["exposure"] = np.full((50, 1), 0.4)
    learned = by_name(learn(figures, false_alarms=0.01))
    assert learned["clipped"].limits.flag_above == 0.005
    assert learned["exposure"].limits.flag_below == pytest.approx(0.4 / 1.05, rel=0.01)


def test_light_is_learned_as_a_ratio() -> None:
    figures = good(100)
    limits = by_name(learn(figures, false_alarms=0.01))["light"].limits
    assert isinstance(limits, LightLimits)
    assert limits.level == pytest.approx(float(np.median(figures["light"])), rel=0.01)
    assert limits.flag_below is not None
    assert limits.flag_above is not None
    assert 0.5 < limits.flag_below < 1 < limits.flag_above < 2


def test_limit_out_of_reach_is_left_out() -> None:
    figures = good(50)
    figures["exposure"] *= 0.9 / 0.4
    limits = by_name(learn(figures, false_alarms=0.01))["exposure"].limits
    assert (limits.flag_above, limits.refuse_above) == (None, None)
    assert limits.flag_below is not None


def test_worst_view_counts() -> None:
    figures = good(50, views=2)
    figures["focus"][7, 1] = 0.02
    figures["exposure"][8, 0] = 0.02
    learned = by_name(learn(figures, false_alarms=0.02))
    figure, distance = learned["focus"].worst(7)
    assert figure == 0.02
    assert distance > max(learned["focus"].worst(at)[1] for at in range(50) if at != 7)
    assert learned["exposure"].worst(8)[0] == 0.02


def test_every_limit_fits_a_profile() -> None:
    learned = learn(good(30), false_alarms=0.01)
    assert tuple(one.name for one in learned) == LEARNED
    QualitySection.model_validate({one.name: one.limits.model_dump(exclude_none=True) for one in learned})


def test_too_few() -> None:
    with pytest.raises(InputError, match="expected at least 20; got 19"):
        learn(good(19), false_alarms=0.01)
    with pytest.raises(InputError, match="got 0"):
        learn({}, false_alarms=0.01)


@pytest.mark.parametrize("share", [0.0, -1.0, 0.5, 1.0, float("nan")])
def test_share_that_is_none(share: float) -> None:
    with pytest.raises(SettingsError, match="false alarms"):
        learn(good(30), false_alarms=share)
