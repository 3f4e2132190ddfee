"""The store: what was acknowledged is there, whatever happened after."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from analyte.contract.errors import AnalyteError, IntegrityError, OutputError
from analyte.runtime.store.heads import heads_path, read_heads
from analyte.runtime.store.schema import APPLICATION_ID, STORE_SCHEMA
from analyte.runtime.store.sqlite import HEAD_ROWS, SqliteStore
from analyte.runtime.store.verifying import verify_store
from runtime.store.readings import alter, happened, opened, reading, varied


def rows(path: Path, columns: str = "*") -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"SELECT {columns} FROM readings ORDER BY sequence").fetchall()


def test_keeps_readings_in_order_and_across_openings(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    for number in range(3):
        with opened(path) as store:
            store.append([reading(number, refused=number == 1)])
    found = rows(path, "sequence, id, captured_at, value, unit, refused, reason, bundle")
    at, bundle = "2026-01-01T00:00:00.000000+00:00", "ab" * 32
    assert found == [
        (1, "id-0", at, 0.0, "µg/mL", 0, None, bundle),
        (2, "id-1", at, None, "µg/mL", 1, "bad_frame", bundle),
        (3, "id-2", at, 2.0, "µg/mL", 0, None, bundle),
    ]
    assert [json.loads(str(row[0]))["id"] for row in rows(path, "json")] == ["id-0", "id-1", "id-2"]


def test_header_and_write_ahead_log(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    with opened(path) as store:
        store.append([reading(1)])
        assert (tmp_path / "r.sqlite-wal").stat().st_size > 0
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert connection.execute("PRAGMA user_version").fetchone() == (STORE_SCHEMA,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize("change", ["UPDATE readings SET value = 7", "DELETE FROM readings"])
def test_append_only(tmp_path: Path, change: str) -> None:
    path = tmp_path / "r.sqlite"
    with opened(path) as store:
        store.append([reading(1)])
    with (
        closing(sqlite3.connect(path)) as connection,
        pytest.raises(sqlite3.IntegrityError, match="append-only"),
    ):
        connection.execute(change)
    assert rows(path, "value") == [(1.0,)]


def test_the_same_reading_twice_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path / "r.sqlite") as store:
        store.append([reading(1)])
        with pytest.raises(OutputError, match="UNIQUE"):
            store.append([reading(1)])


def test_events_stand_between_readings_and_are_found_by_their_beginning(tmp_path: Path) -> None:
    with opened(tmp_path / "r.sqlite") as store:
        store.append([reading(1)])
        store.add(happened("control.measured", id="e1"))
        store.append([reading(2)])
        store.add(happened("controller.changed"))
        store.add(happened("control.failed"))
        found = store.events("control.")
        assert [(one.sequence, one.event.what) for one in found] == [
            (2, "control.measured"),
            (5, "control.failed"),
        ]
        assert found[0].event == happened("control.measured", id="e1")
        assert len(store.events()[1].event.id) == 36
        assert [one.sequence for one in store.events(after=2, limit=1)] == [4]


def test_the_same_event_twice_is_refused_and_breaks_nothing(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    with opened(path) as store:
        store.add(happened(id="e1"))
        with pytest.raises(OutputError, match="UNIQUE"):
            store.add(happened(id="e1"))
        store.append([reading(1)])
    assert verify_store(path, heads_path(path)).passed


def test_several_threads_and_programs_write_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"

    def write(store: SqliteStore, first: int) -> None:
        for number in range(first, first + 20):
            store.append([varied(number)])
            store.add(happened())

    with opened(path) as one, opened(path) as two:
        threads = [
            threading.Thread(target=write, args=(store, 100 * number))
            for number, store in enumerate((one, one, two, two))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = verify_store(path, heads_path(path))
    assert found.passed, found.problem
    assert (found.readings, found.events) == (80, 80)


def test_heads_are_written_at_intervals_and_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    with opened(path) as store:
        for first in range(0, 3 * HEAD_ROWS, 300):
            store.append([varied(number) for number in range(first, first + 300)])
        so_far = [head.sequence for head in read_heads(heads_path(path)) if head is not None]
        assert so_far == [300, 1500, 2700]
    assert [head.sequence for head in read_heads(heads_path(path)) if head is not None] == [*so_far, 3000]


def test_half_of_what_cannot_be_written_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    with opened(path) as store:
        with pytest.raises(OutputError):
            store.append([reading(1), reading(2), reading(1)])
        store.append([reading(3)])
    assert rows(path, "id") == [("id-3",)]
    assert verify_store(path, heads_path(path)).passed


def test_empty_file_becomes_a_store(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    path.touch()
    with opened(path) as store:
        store.append([reading(1)])
    assert len(rows(path)) == 1


def test_memory_is_not_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with opened(Path(":memory:")) as store:
        store.append([reading(1)])
    assert (tmp_path / ":memory:").stat().st_size > 0


class TestRefused:
    """Files that are no sound store of ours are left as they are."""

    def refuse(self, path: Path, error: type[AnalyteError], match: str) -> None:
        before = path.read_bytes()
        with pytest.raises(error, match=match):
            SqliteStore(path)
        assert path.read_bytes() == before

    def test_another_program(self, tmp_path: Path) -> None:
        path = tmp_path / "r.sqlite"
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE bookmarks (url TEXT)")
        self.refuse(path, IntegrityError, "another program")

    def test_no_database(self, tmp_path: Path) -> None:
        path = tmp_path / "r.sqlite"
        path.write_text("value,unit\n1,mg/L\n" * 100)
        self.refuse(path, IntegrityError, "not a store of analyte")

    def test_newer_schema(self, tmp_path: Path) -> None:
        path = tmp_path / "r.sqlite"
        SqliteStore(path).close()
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA user_version = 9")
        self.refuse(path, IntegrityError, "newer version.*schema 3 or older; got 9")

    @pytest.fixture
    def damaged(self, tmp_path: Path) -> Path:
        path = tmp_path / "r.sqlite"
        with opened(path) as store:
            for number in range(200):
                store.append([reading(number)])
        data = bytearray(path.read_bytes())
        data[8192:20480] = b"\xa5" * 12288
        path.write_bytes(data)
        return path

    def test_damaged(self, damaged: Path) -> None:
        self.refuse(damaged, IntegrityError, "damaged")

    def test_large_store_is_checked_after_a_crash(
        self, damaged: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("analyte.runtime.store.opening.ALWAYS_CHECKED_BYTES", 0)
        damaged.with_name("r.sqlite-wal").write_bytes(b"left by a process that was killed")
        self.refuse(damaged, IntegrityError, "damaged")

    def test_cut_off(self, tmp_path: Path) -> None:
        path = tmp_path / "r.sqlite"
        with opened(path) as store:
            store.append([varied(number) for number in range(20)])
        alter(path, "DELETE FROM readings WHERE sequence > 15")
        self.refuse(path, IntegrityError, r"altered; expected .* last head, 20; got a chain that ends at 15")

    def test_altered_at_its_end(self, tmp_path: Path) -> None:
        path = tmp_path / "r.sqlite"
        with opened(path) as store:
            store.append([varied(number) for number in range(20)])
        alter(path, "UPDATE readings SET json = replace(json, 'dye', 'die') WHERE sequence = 15")
        self.refuse(path, IntegrityError, "altered; .* another row 15")

    def test_folder_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(OutputError, match="cannot be opened for writing"):
            SqliteStore(tmp_path / "none" / "r.sqlite")

    def test_store_that_was_closed(self, tmp_path: Path) -> None:
        store = SqliteStore(tmp_path / "r.sqlite")
        store.close()
        store.close()
        with pytest.raises(OutputError, match="closed"):
            store.append([reading(1)])


WRITER = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from analyte.runtime.store.sqlite import SqliteStore
from analyte.contract.errors import AnalyteError
from runtime.store.readings import reading
if int(sys.argv[2]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
store = SqliteStore(Path(sys.argv[1]))
number = 0
try:
    while True:
        store.append([reading(number)])
        print(number, flush=True)
        number += 1
except AnalyteError as error:
    print(error.exit_code, error.line(), file=sys.stderr)
"""


def start_writer(path: Path, limit: int = 0) -> subprocess.Popen[str]:
    tests = str(Path(__file__).parents[2])
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(limit), tests],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("after", [1, 7, 60, 150, 333])
def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path, after: int) -> None:
    path = tmp_path / "r.sqlite"
    with start_writer(path) as writer:
        assert writer.stdout is not None
        acknowledged = [next(writer.stdout) for _ in range(after)]
        writer.send_signal(signal.SIGKILL)
        acknowledged += writer.stdout.readlines()
        writer.communicate()
    whole = [int(line) for line in acknowledged if line.endswith("\n")]
    with opened(path) as store:
        store.append([reading(10**6)])
    stored = [str(row[0]) for row in rows(path, "id")]
    assert set(stored) >= {f"id-{number}" for number in whole}
    assert len(stored) - 1 - len(whole) in (0, 1)
    found = verify_store(path, heads_path(path))
    assert found.passed, found.problem


def test_disk_full(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    # A limit on the size of files stands in for a full disk.
    with start_writer(path, limit=200_000) as writer:
        out, err = writer.communicate(timeout=30)
    assert err.startswith("3 ")
    assert "Traceback" not in err
    stored = {str(row[0]) for row in rows(path, "id")}
    assert stored >= {f"id-{number}" for number in out.split()}
    assert len(stored) > 3
