"""Readings that their receiver has not acknowledged: nothing but a place in the chain, per receiver."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from analyte.runtime.store.connecting import connect_to_write, in_words, transaction
from analyte.runtime.store.protocol import Waiting

_DEPTH = """
SELECT
    max(
        coalesce((SELECT max(sequence) FROM readings), 0), coalesce((SELECT max(sequence) FROM events), 0)
    )
    - :done - (SELECT count(*) FROM events WHERE sequence > :done)
"""


class SqliteOutbox:
    """See `Outbox`. A receiver that is new gets every reading of the store, the oldest first."""

    def __init__(self, path: Path, receiver: str = "mqtt") -> None:
        """Open beside the store, which must be there. From now on nothing is deleted that ``receiver`` has
        not acknowledged. Raises: OutputError, IntegrityError.
        """
        self._path = path
        self._receiver = receiver
        self._connection = connect_to_write(path)
        try:
            # A power cut may forget the last acknowledgements: then a reading is sent twice, never lost.
            self._connection.execute("PRAGMA synchronous = NORMAL")
            with transaction(self._connection):
                self._connection.execute("INSERT OR IGNORE INTO receivers VALUES (?, 0)", (receiver,))
        except sqlite3.Error as error:
            self._connection.close()
            raise in_words(error, path) from error

    def pending(self, limit: int, *, after: int = 0) -> Sequence[Waiting]:
        """Return the oldest ones; see `Outbox.pending`."""
        try:
            rows = self._connection.execute(
                "SELECT sequence, id, json FROM readings WHERE sequence > ? ORDER BY sequence LIMIT ?",
                (max(after, self._done()), limit),
            ).fetchall()
        except sqlite3.Error as error:
            raise in_words(error, self._path) from error
        return [Waiting(*row) for row in rows]

    def acknowledge(self, up_to: int) -> None:
        """Forget those up to and with this sequence number; see `Outbox.acknowledge`."""
        try:
            with transaction(self._connection):
                self._connection.execute(
                    "INSERT INTO receivers VALUES (?, ?)"
                    " ON CONFLICT (name) DO UPDATE SET up_to = max(up_to, excluded.up_to)",
                    (self._receiver, up_to),
                )
        except sqlite3.Error as error:
            raise in_words(error, self._path) from error

    def depth(self) -> int:
        """Return how many wait: the sequence has no gaps, so that nothing has to be counted but events."""
        try:
            deleted = self._connection.execute("SELECT coalesce(max(up_to), 0) FROM retention").fetchone()[0]
            done = max(deleted, self._done())
            return max(0, int(self._connection.execute(_DEPTH, {"done": done}).fetchone()[0]))
        except sqlite3.Error as error:
            raise in_words(error, self._path) from error

    def _done(self) -> int:
        row = self._connection.execute(
            "SELECT up_to FROM receivers WHERE name = ?", (self._receiver,)
        ).fetchone()
        return 0 if row is None else int(row[0])

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._connection.close()
