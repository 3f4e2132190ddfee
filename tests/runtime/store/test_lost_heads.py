"""A start that finds no heads says so for good: nobody makes another chain by taking them away."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from analyte.runtime.signing import KeyPair, make_key
from analyte.runtime.store import lost_heads
from analyte.runtime.store.heads import heads_path, load_signer
from analyte.runtime.store.sqlite import SqliteStore
from analyte.runtime.store.verifying import verify_store
from runtime.store.readings import alter, fill, varied


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    return make_key("device", tmp_path_factory.mktemp("key"))


@pytest.fixture
def store(tmp_path: Path, key: KeyPair, monkeypatch: pytest.MonkeyPatch) -> Path:
    """33 rows, with heads that the key signed."""
    monkeypatch.setattr(lost_heads, "MOST_UNSIGNED", 5)
    monkeypatch.setattr(lost_heads, "MOST_FIRST", 3)
    return filled(tmp_path / "r.sqlite", key)


def filled(path: Path, key: KeyPair | None) -> Path:
    fill(path, [varied(number) for number in range(30)], None if key is None else load_signer(key.private))
    return path


def start(path: Path, key: KeyPair | None) -> list[str]:
    """Open and close as a daemon does; return what it reports."""
    said: list[str] = []
    SqliteStore(path, signer=None if key is None else load_signer(key.private), report=said.append).close()
    return said


def notes(path: Path, key: KeyPair) -> str:
    found = verify_store(path, heads_path(path), [key.key])
    assert found.passed, found.problem
    return "\n".join(found.notes)


def test_heads_that_are_there_leave_nothing_to_say(store: Path, key: KeyPair) -> None:
    assert start(store, key) == []
    assert notes(store, key) == ""


@pytest.mark.parametrize("left", [None, b"", b"nonsense\n"])
def test_no_heads_at_all(store: Path, key: KeyPair, left: bytes | None) -> None:
    heads_path(store).unlink()
    if left is not None:
        heads_path(store).write_bytes(left)
    (said,) = start(store, key)
    assert "no head signed by this device was found for rows 1 to 33" in said
    # Said once, for the new head covers them; and for good.
    assert start(store, key) == []
    assert "no head signed by this device was found for rows 1 to 33" in notes(store, key)


@pytest.mark.parametrize("by_another", [False, True])
def test_heads_that_the_device_did_not_sign(
    store: Path, key: KeyPair, tmp_path: Path, by_another: bool
) -> None:
    other = make_key("other", tmp_path) if by_another else None
    (said,) = start(filled(tmp_path / "other.sqlite", other), key)
    assert "no head signed by this device" in said


def test_without_a_key_any_head_will_do(store: Path, key: KeyPair) -> None:
    assert start(store, None) == []
    heads_path(store).unlink()
    (said,) = start(store, None)
    assert "no head was found for rows 1 to 33" in said


def test_a_first_start_that_crashed_has_nothing_to_say(tmp_path: Path, key: KeyPair) -> None:
    path = filled(tmp_path / "r.sqlite", key)
    heads_path(path).unlink()
    assert start(path, key) == []


def test_a_receiver_ahead_of_the_store_is_found(store: Path, key: KeyPair) -> None:
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("INSERT INTO receivers VALUES ('mqtt', 33)")
    assert notes(store, key) == ""
    alter(store, "UPDATE receivers SET up_to = 34")
    found = verify_store(store, heads_path(store), [key.key])
    assert "'mqtt' is said to have received" in found.problem
