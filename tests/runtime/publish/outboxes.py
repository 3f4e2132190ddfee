"""Outboxes for tests: in memory, and in a file that survives a kill."""

from __future__ import annotations

import json
import sqlite3
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from analyte.runtime.store.protocol import Waiting


def waiting(sequence: int) -> Waiting:
    id = str(uuid.UUID(int=sequence))
    return Waiting(sequence, id, json.dumps({"id": id, "value": sequence / 8, "unit": "mg/L"}))


class MemoryOutbox:
    """May be filled by another thread."""

    def __init__(self, count: int = 0) -> None:
        self._lock = threading.Lock()
        self._all: list[Waiting] = []
        self.gone = 0
        self.add(count)

    def add(self, count: int) -> None:
        with self._lock:
            self._all += [waiting(len(self._all) + number) for number in range(1, count + 1)]

    def pending(self, limit: int, *, after: int = 0) -> Sequence[Waiting]:
        with self._lock:
            first = max(self.gone, after)
            return self._all[first : first + limit]

    def acknowledge(self, up_to: int) -> None:
        assert self.gone < up_to <= len(self._all)
        self.gone = up_to

    def depth(self) -> int:
        with self._lock:
            return len(self._all) - self.gone

    @contextmanager
    def opened(self) -> Iterator[MemoryOutbox]:
        yield self


class FileOutbox:
    """SQLite: what a process that is killed leaves behind."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=10)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS outbox (sequence INTEGER PRIMARY KEY, id TEXT, json TEXT)"
        )

    def add(self, first: int, count: int) -> None:
        with self._connection:
            self._connection.execute("BEGIN")
            self._connection.executemany(
                "INSERT INTO outbox VALUES (?, ?, ?)",
                [(w.sequence, w.id, w.json) for w in map(waiting, range(first, first + count))],
            )

    def pending(self, limit: int, *, after: int = 0) -> Sequence[Waiting]:
        rows = self._connection.execute(
            "SELECT * FROM outbox WHERE sequence > ? ORDER BY sequence LIMIT ?", (after, limit)
        )
        return [Waiting(*row) for row in rows]

    def acknowledge(self, up_to: int) -> None:
        self._connection.execute("DELETE FROM outbox WHERE sequence <= ?", (up_to,))

    def depth(self) -> int:
        (count,) = self._connection.execute("SELECT count(*) FROM outbox").fetchone()
        assert isinstance(count, int)
        return count

    def close(self) -> None:
        self._connection.close()
