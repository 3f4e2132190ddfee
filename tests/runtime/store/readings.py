"""Readings to be kept."""

from __future__ import annotations

from analyte.contract.reading import Reading, Reason


def reading(number: int, *, refused: bool = False) -> Reading:
    return Reading(
        value=None if refused else float(number),
        unit="µg/mL",
        lower=None if refused else number - 1.0,
        upper=None if refused else number + 1.0,
        coverage=0.95,
        sigma=None if refused else 0.5,
        flags=(),
        refused=refused,
        reason=Reason.BAD_FRAME if refused else None,
        detail="",
        analyte="dye",
        source="test",
        frames=1,
        bundle="ab" * 32,
        artifact="onnx",
        engine="onnx",
        provider="cpu",
        device="bench-1",
        captured_at="2026-01-01T00:00:00.000000+00:00",
        capture_age_ms=1.0,
        id=f"id-{number}",
    )
