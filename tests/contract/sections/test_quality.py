"""The limits of ``[quality]``: what is possible, and what is refused by name."""

from __future__ import annotations

import tomllib

import pytest
from pydantic import ValidationError

from analyte.contract.sections.quality import QualitySection


def test_good() -> None:
    text = """
    focus = { refuse_below = 0.1, flag_below = 0.2 }
    light = { level = 0.8, refuse_below = 0.5, flag_below = 0.8, flag_above = 1.2, refuse_above = 2 }
    motion = { flag_above = 0 }
    """
    section = QualitySection.model_validate(tomllib.loads(text))
    assert section.focus is not None
    assert (section.focus.refuse_below, section.focus.flag_below, section.focus.flag_above) == (
        0.1,
        0.2,
        None,
    )
    assert section.light is not None
    assert (section.light.level, section.light.refuse_above) == (0.8, 2.0)
    assert section.glare is None


@pytest.mark.parametrize(
    ("figure", "given", "says"),
    [
        ("sharpness", {"flag_below": 1}, "sharpness"),
        ("focus", {}, "needs one of flag_below"),
        ("focus", {"below": 1}, "below"),
        ("focus", {"flag_below": 0.1, "refuse_below": 0.2}, "refuse_below <= flag_below"),
        ("exposure", {"flag_above": 0.2, "flag_below": 0.3}, "flag_below <= flag_above"),
        ("exposure", {"flag_above": 0.9, "refuse_above": 0.8}, "flag_above <= refuse_above"),
        ("exposure", {"flag_above": 128}, "flag_above must lie between 0 and 1, as the figure does, got 128"),
        ("clipped", {"refuse_above": 5}, "between 0 and 1"),
        ("glare", {"flag_below": -0.1}, "between 0 and 1"),
        ("motion", {"flag_above": 2}, "between 0 and 1"),
        ("coverage", {"refuse_below": 95}, "between 0 and 1"),
        ("focus", {"refuse_below": -1}, "between 0 and 1"),
        ("focus", {"flag_below": 12}, "flag_below must lie between 0 and 1, as the figure does, got 12"),
        ("coverage", {"refuse_above": 0.5}, "refuse_above would refuse what is seen whole"),
        ("coverage", {"refuse_below": 0.5, "flag_above": 1}, "flag_above would refuse what is seen whole"),
        ("light", {"level": 0.5, "refuse_below": -1}, "refuse_below must be 0 or more"),
        ("light", {"refuse_below": 0.5}, "level"),
        ("light", {"level": 0, "refuse_below": 0.5}, "level"),
        ("light", {"level": 180, "refuse_below": 0.5}, "level"),
        ("light", {"level": 0.5}, "needs one of"),
        ("focus", {"refuse_below": float("nan")}, "refuse_below"),
        ("focus", {"refuse_above": float("inf")}, "refuse_above"),
    ],
)
def test_refused(figure: str, given: dict[str, float], says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        QualitySection.model_validate({figure: given})
    assert says in str(caught.value)
    assert figure in str(caught.value)
