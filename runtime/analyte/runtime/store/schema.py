"""The tables of a store.

Readings and events share one sequence without gaps. The columns beside ``json`` are derived from it, for
finding; ``analyte log verify`` compares them. ``sequence`` is the row id, so each index ends in it.
"""

from __future__ import annotations

APPLICATION_ID = int.from_bytes(b"anly", "big")
"""In the header of the file: tells our stores from any other SQLite database."""
STORE_SCHEMA = 3
SPAN_BITS = 12
"""A span is 2^12 sequence numbers."""

TABLES = (
    """
CREATE TABLE readings (
    sequence INTEGER PRIMARY KEY,
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    id TEXT NOT NULL UNIQUE,
    captured_at TEXT NOT NULL,
    value REAL CHECK (value IS NULL OR NOT refused),
    unit TEXT NOT NULL,
    refused INTEGER NOT NULL CHECK (refused IN (0, 1)),
    reason TEXT CHECK ((reason IS NOT NULL) = refused),
    bundle TEXT NOT NULL,
    site TEXT NOT NULL,
    json TEXT NOT NULL
) STRICT
""",
    # One row per flag of a reading; the other columns are the reading's, for finding.
    """
CREATE TABLE flags (
    sequence INTEGER NOT NULL,
    flag TEXT NOT NULL,
    refused INTEGER NOT NULL,
    reason TEXT,
    site TEXT NOT NULL,
    PRIMARY KEY (sequence, flag)
) STRICT, WITHOUT ROWID
""",
    # The earliest and the latest time of capture among 2^12 sequence numbers. The clock may jump, so times
    # are not in the order of the chain; a span tells cheaply where a time may be.
    """
CREATE TABLE spans (
    span INTEGER PRIMARY KEY,
    first_at TEXT NOT NULL,
    last_at TEXT NOT NULL
) STRICT
""",
    """
CREATE TABLE events (
    sequence INTEGER PRIMARY KEY,
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    previous BLOB NOT NULL CHECK (length(previous) = 32),
    id TEXT NOT NULL UNIQUE,
    at TEXT NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL,
    json TEXT NOT NULL
) STRICT
""",
    # Readings up to and with this sequence number are to be deleted; the event says so, too.
    "CREATE TABLE retention (one INTEGER PRIMARY KEY CHECK (one = 1), up_to INTEGER NOT NULL) STRICT",
    "CREATE TABLE receivers (name TEXT PRIMARY KEY, up_to INTEGER NOT NULL) STRICT, WITHOUT ROWID",
)

INDICES = (
    "CREATE INDEX readings_refused ON readings (refused)",
    "CREATE INDEX readings_reason ON readings (reason) WHERE reason IS NOT NULL",
    "CREATE INDEX readings_site ON readings (site, refused) WHERE site <> ''",
    "CREATE INDEX readings_site_reason ON readings (site, reason) WHERE site <> '' AND reason IS NOT NULL",
    "CREATE INDEX flags_refused ON flags (flag, refused, sequence)",
    "CREATE INDEX flags_reason ON flags (flag, reason, sequence) WHERE reason IS NOT NULL",
    "CREATE INDEX flags_site ON flags (flag, site, refused, sequence) WHERE site <> ''",
)

_ABORT = "BEGIN SELECT RAISE(ABORT, '{0} are append-only'); END"

TRIGGERS = (
    f"CREATE TRIGGER readings_no_update BEFORE UPDATE ON readings {_ABORT.format('readings')}",
    f"CREATE TRIGGER events_no_update BEFORE UPDATE ON events {_ABORT.format('events')}",
    f"CREATE TRIGGER events_no_delete BEFORE DELETE ON events {_ABORT.format('events')}",
    "CREATE TRIGGER readings_no_delete BEFORE DELETE ON readings "
    "WHEN OLD.sequence > coalesce((SELECT up_to FROM retention), 0) "
    f"{_ABORT.format('readings')}",
)

HEADER = (f"PRAGMA application_id = {APPLICATION_ID}", f"PRAGMA user_version = {STORE_SCHEMA}")
