"""``[control]``: what is possible, and what is refused by name."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from analyte.contract.sections.control import ControlSection

LOW = {"name": "low", "target": 20.0, "s": 1.0}


def test_good() -> None:
    text = """
    interval_h = 8
    warn = ["1-2s", "10x"]
    reject = ["1-3s"]
    [[materials]]
    name = "low µ"
    target = -5
    s = 0.5
    lot = "A"
    expires = 2026-12-31
    [drift]
    method = "ewma"
    weight = 0.1
    """
    section = ControlSection.model_validate(tomllib.loads(text))
    assert section.materials[0].expires == date(2026, 12, 31)
    assert section.lock_out
    assert section.release_role == "supervisor"
    assert section.drift is not None
    assert (section.drift.weight, section.drift.action) == (0.1, "warn")


def test_nothing_is_controlled_without_being_asked_for() -> None:
    section = ControlSection()
    assert (section.materials, section.interval_h, section.drift) == ((), None, None)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"materials": [LOW, LOW]}, "two of the name 'low'"),
        ({"materials": [LOW | {"s": 0}]}, "greater than 0"),
        ({"materials": [LOW | {"target": float("nan")}]}, "finite"),
        ({"materials": [LOW | {"name": ""}]}, "at least 1"),
        ({"materials": [LOW | {"name": "a\nb"}]}, "pattern"),
        ({"materials": [LOW | {"unit": "x"}]}, "unit"),
        ({"interval_h": 8}, "interval_h needs materials"),
        ({"materials": [LOW], "interval_h": 0}, "greater than 0"),
        ({"reject": ["2-2s"], "warn": ["2-2s"]}, "'2-2s' stands in reject and in warn"),
        ({"reject": ["3-1s"]}, "Input should be"),
        ({"release_role": "viewer"}, "supervisor"),
        ({"release_role": "device"}, "supervisor"),
        ({"lock_out": "yes"}, "valid boolean"),
        ({"drift": {}}, "method"),
        ({"drift": {"method": "ewma", "weight": 0}}, "greater than 0"),
        ({"drift": {"method": "ewma", "slack": 1}}, "slack is no key of method 'ewma'"),
        ({"max_residual": 0}, "greater than 0"),
    ],
)
def test_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ControlSection.model_validate(given)
    assert says in str(caught.value)


def test_the_example_in_the_profiles_names_every_key_and_holds() -> None:
    text = (Path(__file__).parents[3] / "device_configs" / "x86-cpu.toml").read_text("utf-8")
    paragraph = next(part for part in text.split("\n\n") if "# [control]" in part)
    keys = [line[2:] for line in paragraph.splitlines() if re.match(r"# (\[|[a-z_]+ = )", line)]
    data = tomllib.loads("\n".join(keys))["control"]
    section = ControlSection.model_validate(data)
    assert set(data) == set(ControlSection.model_fields)
    assert set(data["materials"][0]) == set(type(section.materials[0]).model_fields)
    # What it shows commented out is what holds without it.
    defaults = ControlSection()
    assert (section.reject, section.warn, section.run_h) == (defaults.reject, defaults.warn, defaults.run_h)
