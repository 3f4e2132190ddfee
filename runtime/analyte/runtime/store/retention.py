"""Making room: the oldest readings go by age or size, never what is unsent or on hold, never an event.

First an event says what goes, with the hash that the rest of the chain hangs on. Then the readings go, a few
hundred in a transaction, so that none that is just measured waits for long. What a crash leaves behind goes
at the next start.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from analyte.contract.errors import AnalyteError
from analyte.contract.event import JsonValue
from analyte.runtime.store.chain import EventDigest
from analyte.runtime.store.holds import first_held
from analyte.runtime.store.rows import device_event
from analyte.runtime.store.schema import SPAN_BITS
from analyte.runtime.store.spans import ranges_of
from analyte.runtime.store.sqlite import SqliteStore

DELETED = "retention.deleted"
SWEEP_READINGS = 20_000
"""Most that one event announces: counting them takes tens of milliseconds."""
BATCH_READINGS = 250
"""Most that one transaction deletes."""
PAUSE_S = 0.02
"""Between two transactions."""
INTERVAL_S = 3600.0


@dataclass(frozen=True, slots=True)
class Rules:
    """How much is kept; None keeps everything."""

    keep_days: float | None = None
    keep_mb: float | None = None
    """Megabytes, 10^6 bytes."""

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return self.keep_days is not None or self.keep_mb is not None

    def __str__(self) -> str:
        given = {"keep_days": self.keep_days, "keep_mb": self.keep_mb}
        return ", ".join(f"{name} = {value:g}" for name, value in given.items() if value is not None)


class Retention:
    """Sweeps a store by its rules, in a thread of its own: at the start and then every hour."""

    def __init__(self, store: SqliteStore, rules: Rules, report: Callable[[str], None]) -> None:
        """``report`` is told once why nothing can be deleted."""
        self._store = store
        self.rules = rules
        self._report = report
        self._reported: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="retention")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Stop it; it ends with the transaction that it is in."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def sweep(self) -> None:
        """Delete all that may go now. Raises: OutputError, IntegrityError."""
        self._delete()
        while not self._stop.is_set() and self._announce():
            self._delete()

    def _work(self) -> None:
        while not self._stop.is_set():
            try:
                self.sweep()
            except AnalyteError as error:
                self._say(f"old readings are not deleted: {error.line()}")
            self._stop.wait(INTERVAL_S)

    def _say(self, text: str) -> None:
        if text not in self._reported:
            self._reported.add(text)
            self._report(text)

    def _announce(self) -> bool:
        """Record what goes next; return whether anything does."""
        with self._store.writing() as writer:
            connection = writer.connection
            done = announced(connection)
            wanted = max(self._by_age(connection), self._by_size(connection, done))
            up_to = min(wanted, done + SWEEP_READINGS)
            bound, why = _bound(connection)
            if wanted > bound:
                self._say(f"readings are kept longer than {self.rules} says: {why}")
            last = connection.execute(
                "SELECT sequence, hash FROM readings WHERE sequence BETWEEN ? AND ?"
                " ORDER BY sequence DESC LIMIT 1",
                (done + 1, min(up_to, bound)),
            ).fetchone()
            if last is None:
                return False
            contents = _contents(connection, done, last[0], last[1])
            now_s = self._store.clock.wall()
            writer.add_event(device_event(DELETED, now_s=now_s, why=str(self.rules), new=contents))
            connection.execute("INSERT OR REPLACE INTO retention VALUES (1, ?)", (last[0],))
        return True

    def _by_age(self, connection: sqlite3.Connection) -> int:
        """Return the sequence number up to which readings are too old, or 0."""
        days = self.rules.keep_days
        newest = connection.execute(
            "SELECT captured_at FROM readings ORDER BY sequence DESC LIMIT 1"
        ).fetchone()
        if days is None or newest is None:
            return 0
        if self._store.clock.jumped_forward:
            self._say("the clock jumped forward, so no reading is deleted for its age before the next start")
            return 0
        # A clock that is wrong makes readings old only once it has made newer ones, too.
        now = min(newest[0], self._store.clock.now())
        try:
            cutoff = (datetime.fromisoformat(now) - timedelta(days=days)).isoformat(timespec="microseconds")
        except OverflowError:
            return 0
        for first, last in ranges_of(connection, cutoff, None):
            row = connection.execute(
                "SELECT sequence FROM readings WHERE sequence BETWEEN ? AND ? AND captured_at >= ?"
                " ORDER BY sequence LIMIT 1",
                (first, last, cutoff),
            ).fetchone()
            if row is not None:
                return int(row[0]) - 1
        return 0

    def _by_size(self, connection: sqlite3.Connection, done: int) -> int:
        """Return the sequence number up to which readings are too many, or 0."""
        if self.rules.keep_mb is None:
            return 0
        pages, free, page_bytes, rows = connection.execute(
            "SELECT page_count, freelist_count, page_size, coalesce((SELECT max(sequence) FROM readings), 0)"
            " FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
        ).fetchone()
        used = (pages - free) * page_bytes
        excess = used - 1e6 * self.rules.keep_mb
        if excess <= 0 or rows <= done:
            return 0
        return int(done + max(1, round((rows - done) * excess / used)))

    def _delete(self) -> None:
        """Delete what was announced."""
        more = True
        while more and not self._stop.is_set():
            with self._store.writing() as writer:
                more = _delete_batch(writer.connection)
            if more:
                self._stop.wait(PAUSE_S)


def announced(connection: sqlite3.Connection) -> int:
    """Return the sequence number up to which readings are deleted or about to be; 0 for none."""
    return int(connection.execute("SELECT coalesce(max(up_to), 0) FROM retention").fetchone()[0])


def _bound(connection: sqlite3.Connection) -> tuple[int, str]:
    """Return the sequence number up to which readings may be deleted, and why not farther."""
    bounds = [
        (int(up_to), f"they wait for the receiver {name!r}")
        for name, up_to in connection.execute("SELECT name, up_to FROM receivers")
    ]
    held = first_held(connection)
    if held is not None:
        bounds.append((held - 1, "they are on hold"))
    # The last reading stays: the clock is compared with it.
    last = connection.execute("SELECT coalesce(max(sequence), 0) FROM readings").fetchone()[0]
    return min([*bounds, (int(last) - 1, "the newest one always stays")])


def _contents(connection: sqlite3.Connection, done: int, up_to: int, hash_: bytes) -> dict[str, JsonValue]:
    """Return what has to be known of deleted readings for the rest of the chain to be verified."""
    count, first_at, last_at = connection.execute(
        "SELECT count(*), min(captured_at), max(captured_at) FROM readings WHERE sequence BETWEEN ? AND ?",
        (done + 1, up_to),
    ).fetchone()
    digest = EventDigest()
    for row in connection.execute(
        "SELECT sequence, hash FROM events WHERE sequence <= ? ORDER BY sequence", (up_to,)
    ):
        digest.add(*row)
    return {
        "up_to": up_to,
        "hash": hash_.hex(),
        "readings": count,
        "first_at": first_at,
        "last_at": last_at,
        "events_kept": digest.count,
        "events_sha256": digest.hexdigest(),
    }


def _delete_batch(connection: sqlite3.Connection) -> bool:
    """Delete some of what was announced; return whether there may be more."""
    up_to = announced(connection)
    # Somebody may have said so since.
    if (held := first_held(connection)) is not None:
        up_to = min(up_to, held - 1)
    row = connection.execute(
        "SELECT max(sequence), count(*) FROM (SELECT sequence FROM readings WHERE sequence <= ?"
        " ORDER BY sequence LIMIT ?)",
        (up_to, BATCH_READINGS),
    ).fetchone()
    if not row[1]:
        return False
    connection.execute("DELETE FROM readings WHERE sequence <= ?", (row[0],))
    connection.execute("DELETE FROM flags WHERE sequence <= ?", (row[0],))
    connection.execute("DELETE FROM spans WHERE span < ?", ((row[0] + 1) >> SPAN_BITS,))
    return bool(row[1] == BATCH_READINGS)
