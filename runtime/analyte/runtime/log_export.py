"""Exports of a store: what is chosen, as it is at this moment."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from analyte.runtime.store.connecting import connect_to_read
from analyte.runtime.store.exporting import EVENT_FIELDS, READING_FIELDS, Line, export
from analyte.runtime.store.history import SqliteReadingLog
from analyte.runtime.store.protocol import ReadingFilter
from analyte.runtime.store.tailing import last_sequence
from analyte.runtime.store.times import utc


def export_readings(
    store: Path,
    out: Path,
    chosen: ReadingFilter,
    on_progress: Callable[[float], None] = lambda share: None,
    *,
    overwrite: bool,
) -> int:
    """Write the readings that are chosen, the oldest first; return how many.

    Raises: as `analyte.runtime.store.exporting.export`, and InputError when there is no store.
    """
    with closing(connect_to_read(store)) as connection:
        last = last_sequence(connection)
    reached = 0

    def on_line(sequence: int) -> None:
        nonlocal reached
        on_progress((sequence - reached) / last)
        reached = sequence

    with closing(SqliteReadingLog(store)) as log:
        rows = log.scan(chosen, (0, last), descending=False)
        lines = (Line(row.sequence, row.json) for row in rows)
        return export(lines, out, READING_FIELDS, overwrite=overwrite, on_line=on_line)


def export_events(store: Path, out: Path, since: str | None, until: str | None, *, overwrite: bool) -> int:
    """Write the events that were recorded from ``since`` to before ``until``; return how many."""
    first, end = (None if text is None else utc(text) for text in (since, until))
    with closing(connect_to_read(store)) as connection:
        rows = connection.execute(
            "SELECT sequence, json FROM events WHERE (?1 IS NULL OR at >= ?1) AND (?2 IS NULL OR at < ?2)"
            " ORDER BY sequence",
            (first, end),
        )
        lines = (Line(sequence, text) for sequence, text in rows)
        return export(lines, out, EVENT_FIELDS, overwrite=overwrite)
