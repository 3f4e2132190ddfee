"""Readings as JSON: names equal field names, and no number that JSON does not have."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest

from analyte.contract.reading import Flag, Reading, Reason

READING = Reading(
    value=1.5,
    unit="µg/L",
    lower=1.0,
    upper=2.0,
    coverage=0.95,
    sigma=0.25,
    flags=(Flag.OUT_OF_RANGE,),
    refused=False,
    reason=None,
    detail="two\nlines",
    analyte="dye",
    source="p.png",
    frames=1,
    bundle="0" * 64,
    artifact="onnx",
    engine="onnx",
    provider="cpu",
    device="bench",
    captured_at="2026-01-01T00:00:00.000000+00:00",
    capture_age_ms=0.1,
    regions={"sample": (1, 2, 3, 4)},
)


def test_names_are_the_field_names() -> None:
    text = READING.to_json()
    assert "\n" not in text
    data = json.loads(text)
    assert list(data) == [field.name for field in dataclasses.fields(Reading)]
    assert (data["unit"], data["flags"], data["regions"]) == (
        "µg/L",
        ["out_of_range"],
        {"sample": [1, 2, 3, 4]},
    )


def test_refused() -> None:
    data = json.loads(
        dataclasses.replace(READING, value=None, refused=True, reason=Reason.BAD_FRAME).to_json()
    )
    assert (data["value"], data["refused"], data["reason"]) == (None, True, "bad_frame")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_never_a_number_that_is_none(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        dataclasses.replace(READING, value=value).to_json()
