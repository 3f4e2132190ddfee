"""Readings and events as rows: what stands in the columns beside their JSON."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from analyte.contract.event import Event, JsonValue, Role
from analyte.contract.reading import Reading
from analyte.runtime.store.times import iso

READING_COLUMNS = "id, captured_at, value, unit, refused, reason, bundle, site"
INSERT_READING = f"INSERT INTO readings (sequence, hash, {READING_COLUMNS}, json) VALUES (?{', ?' * 10})"
INSERT_FLAG = "INSERT INTO flags (sequence, flag, refused, reason, site) VALUES (?, ?, ?, ?, ?)"
EVENT_COLUMNS = "id, at, who, what"
INSERT_EVENT = f"INSERT INTO events (sequence, hash, previous, {EVENT_COLUMNS}, json) VALUES (?{', ?' * 7})"

JsonObject = dict[str, JsonValue]


class ReadingColumns(NamedTuple):
    """In the order of ``READING_COLUMNS``."""

    id: object
    captured_at: object
    value: object
    unit: object
    refused: object
    reason: object
    bundle: object
    site: object


def reading_columns(reading: Reading) -> ReadingColumns:
    """Return what is stored beside the JSON of a reading."""
    return ReadingColumns(
        reading.id,
        reading.captured_at,
        reading.value,
        reading.unit,
        int(reading.refused),
        None if reading.reason is None else str(reading.reason),
        reading.bundle,
        reading.site,
    )


def columns_of_json(fields: Mapping[str, JsonValue]) -> ReadingColumns:
    """Return the same from a reading's JSON. Raises: KeyError for what is no reading."""
    return ReadingColumns(
        fields["id"],
        fields["captured_at"],
        fields["value"],
        fields["unit"],
        int(fields["refused"] is True),
        fields["reason"],
        fields["bundle"],
        # Readings of an older store have none.
        fields.get("site", ""),
    )


def flag_rows(sequence: int, flags: Iterable[object], columns: ReadingColumns) -> list[tuple[object, ...]]:
    """Return the rows of a reading in the table of flags."""
    return [
        (sequence, str(flag), columns.refused, columns.reason, columns.site)
        for flag in sorted(map(str, flags))
    ]


def event_columns(event: Event) -> tuple[object, ...]:
    """Return what is stored beside the JSON of an event, in the order of ``EVENT_COLUMNS``."""
    return event.id, event.at, event.who, event.what


def event_from_json(text: str) -> Event:
    """Return a stored event. Raises: ValueError, KeyError, TypeError for what is none."""
    fields = json.loads(text)
    return Event(**{**fields, "role": Role(fields["role"])})


def with_id(event: Event) -> Event:
    """Return the event with an id, a new one where it has none."""
    return event if event.id else replace(event, id=str(uuid.uuid4()))


def device_event(
    what: str, *, now_s: float, why: str = "", old: JsonValue = None, new: JsonValue = None
) -> Event:
    """Return an event of the device itself. ``now_s``: of `time.time`."""
    return Event(iso(now_s), "device", Role.DEVICE, what, why, old, new)
