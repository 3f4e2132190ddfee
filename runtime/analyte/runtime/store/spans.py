"""Where in the chain a time of capture may be, found without reading the readings."""

from __future__ import annotations

import sqlite3

from analyte.runtime.store.schema import SPAN_BITS

Range = tuple[int, int]
"""First and last sequence number, both included."""

EVERYTHING: Range = (0, 2**62)


def ranges_of(connection: sqlite3.Connection, since: str | None, until: str | None) -> list[Range]:
    """Return the parts of the chain, in its order, that may hold readings captured from ``since`` to before
    ``until``; everything where neither is given. Neighbours are joined.
    """
    if since is None and until is None:
        return [EVERYTHING]
    rows = connection.execute(
        "SELECT span FROM spans WHERE (?1 IS NULL OR last_at >= ?1) AND (?2 IS NULL OR first_at < ?2)"
        " ORDER BY span",
        (since, until),
    )
    found: list[Range] = []
    for (span,) in rows:
        first, last = span << SPAN_BITS, ((span + 1) << SPAN_BITS) - 1
        if found and found[-1][1] == first - 1:
            first = found.pop()[0]
        found.append((first, last))
    return found
