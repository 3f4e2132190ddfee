"""Readings as a table for people, and as CSV and JSON for programs."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from collections.abc import Sequence

from analyte.contract.numbers import coverage_percent
from analyte.contract.reading import Reading
from analyte.runtime.tables import format_table


def to_json_list(readings: Sequence[Reading]) -> str:
    """Return a JSON list of readings, refused ones included."""
    return "[" + ",\n ".join(reading.to_json() for reading in readings) + "]"


def to_csv(readings: Sequence[Reading]) -> str:
    """Return a header and one line per reading; columns are the fields, flags separated by ``;``.

    What is null in JSON is empty; maps (latency, regions) are JSON in one cell.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [item.name for item in dataclasses.fields(Reading)]
    writer.writerow(names)
    for reading in readings:
        writer.writerow([_csv_cell(getattr(reading, name)) for name in names])
    return text.getvalue().rstrip("\n")


def to_table(readings: Sequence[Reading]) -> str:
    """Return aligned columns value, interval, unit, flags and file, and the well where there are several.

    A refused reading shows its reason, one below the limit of detection that limit.
    """
    rows: list[tuple[str, ...]] = []
    for reading in readings:
        value, interval = _result(reading)
        rows.append((value, interval, reading.unit, ", ".join(reading.flags), reading.source, reading.detail))
    coverage = readings[0].coverage if readings else math.nan
    header: tuple[str, ...] = ("value", f"{coverage_percent(coverage)} interval", "unit", "flags", "file", "")
    if not any(reading.site for reading in readings):
        return format_table(header, rows, right=frozenset({0}))
    wells = [(reading.site, *row) for reading, row in zip(readings, rows, strict=True)]
    return format_table(("well", *header), wells, right=frozenset({1}))


def _result(reading: Reading) -> tuple[str, str]:
    """Return value and interval as people read them, or what stands in their place."""
    if reading.refused:
        return "refused", str(reading.reason)
    if reading.value is None:
        return f"< {reading.upper:.3g}", ""
    return _numbers(reading)


def _numbers(reading: Reading) -> tuple[str, str]:
    """Return value and interval, rounded to two significant digits of the interval's half-width."""
    assert reading.value is not None
    assert reading.lower is not None
    assert reading.upper is not None
    half = (reading.upper - reading.lower) / 2
    digits = max(0, 1 - math.floor(math.log10(half))) if half > 0 else 6
    digits = min(digits, 9)
    return f"{reading.value:.{digits}f}", f"{reading.lower:.{digits}f} to {reading.upper:.{digits}f}"


def _csv_cell(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ";".join(map(str, value))
    if isinstance(value, dict):
        return json.dumps(value, allow_nan=False) if value else ""
    return value
