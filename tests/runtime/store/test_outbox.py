"""What waits to be sent."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyte.contract.errors import IntegrityError
from analyte.runtime.store.outbox import SqliteOutbox
from runtime.store.readings import alter, fill, happened, opened, varied


def test_pending_until_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    fill(path, [varied(number) for number in range(25)])
    with closing(SqliteOutbox(path)) as outbox:
        assert outbox.depth() == 25
        first = outbox.pending(12)
        assert [one.id for one in first] == [f"id-{number}" for number in range(12)]
        assert first[0].json == varied(0).to_json()
        assert [one.id for one in outbox.pending(2, after=first[-1].sequence)] == ["id-12", "id-13"]
        outbox.acknowledge(first[-1].sequence)
        outbox.acknowledge(3)  # What came late changes nothing.
        assert outbox.depth() == 13
        assert outbox.pending(1)[0].id == "id-12"
    with closing(SqliteOutbox(path)) as again, opened(path) as store:
        assert again.depth() == 13
        store.append([varied(100)])
        assert again.depth() == 14
        again.acknowledge(again.pending(100)[-1].sequence)
        assert (again.depth(), list(again.pending(9))) == (0, [])
    with closing(SqliteOutbox(path, "sila")) as other:
        assert other.depth() == 26


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(["reading", "event", "acknowledge"]), max_size=20))
def test_depth_is_what_is_pending(tmp_path_factory: pytest.TempPathFactory, steps: list[str]) -> None:
    path = tmp_path_factory.mktemp("o") / "r.sqlite"
    with opened(path) as store, closing(SqliteOutbox(path)) as outbox:
        for number, step in enumerate(steps):
            if step == "reading":
                store.append([varied(number)])
            elif step == "event":
                store.add(happened())
            elif waiting := outbox.pending(2):
                outbox.acknowledge(waiting[-1].sequence)
            assert outbox.depth() == len(outbox.pending(99))


def test_without_a_store(tmp_path: Path) -> None:
    (tmp_path / "r.sqlite").write_bytes(b"something else" * 100)
    with pytest.raises(IntegrityError):
        SqliteOutbox(tmp_path / "r.sqlite")


def test_forgotten_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "r.sqlite"
    fill(path, [varied(1)])
    with closing(SqliteOutbox(path)) as outbox:
        alter(path, "DELETE FROM receivers")
        assert outbox.depth() == 1
        outbox.acknowledge(1)
        assert outbox.depth() == 0
