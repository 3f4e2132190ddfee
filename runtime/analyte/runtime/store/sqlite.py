"""The store: every reading, refused ones included, and every event, on disk before anybody is told of it."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from analyte.contract.errors import AnalyteError, OutputError
from analyte.contract.event import Event, JsonValue
from analyte.contract.reading import Reading
from analyte.runtime.store.connecting import in_words, transaction
from analyte.runtime.store.heads import Head, Signer, append_head, heads_path, last_head, make_head
from analyte.runtime.store.lost_heads import HEADS_LOST, lost_heads
from analyte.runtime.store.opening import check_end, open_file
from analyte.runtime.store.protocol import StoredEvent
from analyte.runtime.store.rows import device_event, event_from_json
from analyte.runtime.store.times import JUMP_S, ClockWatch, iso
from analyte.runtime.store.writing import ChainWriter, unchained

HEAD_ROWS, HEAD_S = 1000, 600.0
"""A head is written after so many rows or seconds, whichever comes first, and when the store is closed."""

_EVENTS = """
SELECT sequence, json FROM events
WHERE sequence > ? AND substr(what, 1, ?) = ? ORDER BY sequence LIMIT ?
"""
_NEWEST_TIME = """
SELECT max(at) FROM (
    SELECT * FROM (SELECT captured_at AS at FROM readings ORDER BY sequence DESC LIMIT 1)
    UNION ALL SELECT * FROM (SELECT at FROM events ORDER BY sequence DESC LIMIT 1)
)
"""


class SqliteStore:
    """Readings and events in a SQLite file: one chain, every commit synced to the disk, append-only.

    It is a `Store` and a `Trail`, for any number of threads.
    """

    def __init__(
        self,
        path: Path,
        *,
        signer: Signer | None = None,
        clock: ClockWatch | None = None,
        report: Callable[[str], None] = lambda text: None,
        is_open_elsewhere: bool = False,
    ) -> None:
        """Open or create. ``signer``: signs heads; None leaves them unsigned. ``report``: is told of what
        takes long. ``is_open_elsewhere``: the daemon may have it open, which has checked its pages.
        Raises: IntegrityError for a foreign, damaged or altered file, OutputError otherwise.
        """
        self.path = path
        self.clock = clock or ClockWatch()
        self._signer = signer
        self._report = report
        self._lock = threading.RLock()
        self._heads = heads_path(path)
        self._head = last_head(self._heads)
        self._head_s = time.monotonic()
        self._connection: sqlite3.Connection | None = open_file(
            path, self._migrated, report, check_pages=not is_open_elsewhere
        )
        self._writer = ChainWriter(self._connection)
        try:
            check_end(self._connection, path, self._head)
            self._begin()
        except sqlite3.Error as error:
            self._drop()
            raise in_words(error, path) from error
        except AnalyteError:
            self._drop()
            raise

    def append(self, readings: Sequence[Reading]) -> None:
        """Keep readings in one transaction; see `Store.append`."""
        rows = [unchained(reading) for reading in readings]
        with self.writing() as writer:
            writer.add_readings(rows)

    def add(self, event: Event) -> None:
        """Keep an event; see `Trail.add`."""
        with self.writing() as writer:
            writer.add_event(event)

    def events(self, what: str = "", *, after: int = 0, limit: int = 1000) -> Sequence[StoredEvent]:
        """Return events in the order of the chain; see `Trail.events`."""
        with self._lock:
            connection = self._open()
            try:
                rows = connection.execute(_EVENTS, (after, len(what), what, limit)).fetchall()
            except sqlite3.Error as error:
                raise in_words(error, self.path) from error
        return [StoredEvent(sequence, event_from_json(text)) for sequence, text in rows]

    @contextmanager
    def writing(self) -> Iterator[ChainWriter]:
        """Give the end of the chain, in a transaction; a jump of the clock is recorded first.

        Raises: OutputError, IntegrityError.
        """
        with self._lock:
            connection = self._open()
            try:
                with transaction(connection):
                    self._writer.seek()
                    self._record_jump(self.clock.jump())
                    yield self._writer
            except sqlite3.Error as error:
                raise in_words(error, self.path) from error
            if self._is_head_due():
                self._write_head()

    def close(self) -> None:
        """Write a head and close the file; SQLite folds the WAL into it. Raises: OutputError."""
        with self._lock:
            if self._connection is None:
                return
            try:
                self._writer.seek()
                self._write_head()
            except sqlite3.Error as error:
                raise in_words(error, self.path) from error
            finally:
                self._drop()

    def _begin(self) -> None:
        """Compare the clock with the last row's, and let a head cover what a crash left behind."""
        self.clock.jump()
        newest = self._open().execute(_NEWEST_TIME).fetchone()[0]
        now_s = self.clock.wall()
        if newest is not None and newest > iso(now_s + JUMP_S):
            with transaction(self._open()):
                self._writer.seek()
                self._record_jump((newest, iso(now_s)))
        self._record_lost_heads()
        self._writer.seek()
        self._write_head()

    def _record_lost_heads(self) -> None:
        """Say for good that the rows so far may not be what was stored, before a new head covers them."""
        with transaction(connection := self._open()):
            self._writer.seek()
            signed = self._head if self._signer is None else last_head(self._heads, self._signer)
            why = lost_heads(connection, self._writer.sequence, signed, by_key=self._signer is not None)
            if why:
                last: JsonValue = {"rows_up_to": self._writer.sequence}
                event = device_event(HEADS_LOST, now_s=self.clock.wall(), why=why, new=last)
                self._writer.add_event(event)
        if why:
            self._report(f"{self.path}: {why}")

    def _record_jump(self, jump: tuple[str, str] | None) -> None:
        if jump is not None:
            old, new = jump
            event = device_event("clock.jumped", now_s=self.clock.wall(), old=old, new=new)
            self._writer.add_event(event)

    def _migrated(self, old: Mapping[str, int], new: Mapping[str, int]) -> Event:
        return device_event("store.migrated", now_s=self.clock.wall(), old=dict(old), new=dict(new))

    def _is_head_due(self) -> bool:
        if self._head is None or time.monotonic() - self._head_s >= HEAD_S:
            return True
        return self._writer.sequence - self._head.sequence >= HEAD_ROWS

    def _write_head(self) -> None:
        """Write down where the chain ends, unless that is written already."""
        if self._writer.sequence == 0 or (self._head and self._head.sequence >= self._writer.sequence):
            return
        head: Head = make_head(self.clock.now(), self._writer.sequence, self._writer.hash, self._signer)
        append_head(self._heads, head)
        self._head, self._head_s = head, time.monotonic()

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise OutputError("the store is closed", where=self.path)
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
