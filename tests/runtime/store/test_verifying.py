"""Verifying: whatever is done to a stored row is found, and named by its place."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyte.contract.errors import AnalyteError, IntegrityError
from analyte.contract.signature import PublicKey
from analyte.runtime.signing import KeyPair, make_key
from analyte.runtime.store import verifying
from analyte.runtime.store.chain import GENESIS, Kind, link
from analyte.runtime.store.heads import append_head, heads_path, load_signer, make_head, parse_head
from analyte.runtime.store.history import SqliteReadingLog
from analyte.runtime.store.verifying import Verification, verify_store
from runtime.store.readings import alter, fill, happened, numbers, opened, varied

ROWS = 33
"""Thirty readings and three events: rows 11, 22 and 33."""


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    return make_key("device", tmp_path_factory.mktemp("key"))


@pytest.fixture
def store(tmp_path: Path, key: KeyPair) -> Path:
    path = tmp_path / "r.sqlite"
    fill(path, [varied(number) for number in range(30)], load_signer(key.private))
    return path


def verify(path: Path, keys: Sequence[PublicKey] = ()) -> Verification:
    return verify_store(path, heads_path(path), keys)


def test_untouched(store: Path, key: KeyPair) -> None:
    found = verify(store, [key.key])
    assert found.passed
    assert (found.readings, found.events, found.first, found.last) == (30, 3, 1, ROWS)
    assert found.signed_up_to == ROWS
    assert found.keys == [key.key.fingerprint]
    assert found.notes == []


SWAP = [
    f"UPDATE readings SET sequence = {new} WHERE sequence = {old}" for old, new in ((3, 99), (4, 3), (99, 4))
]
MOVE = [
    "UPDATE readings SET sequence = sequence + 1000 WHERE sequence >= 5",
    "UPDATE events SET sequence = sequence + 1000",
    "UPDATE readings SET sequence = sequence - 999 WHERE sequence >= 1000",
    "UPDATE events SET sequence = sequence - 999",
]
COPY = (
    "INSERT INTO readings SELECT 5, hash, 'new', captured_at, value, unit, refused, reason, bundle, site,"
    " json FROM readings WHERE sequence = 4"
)
ATTACKS = {
    "json": (["UPDATE readings SET json = replace(json, 'dye', 'die') WHERE sequence = 7"], 7),
    "json and its hash": (
        ["UPDATE readings SET json = replace(json, 'dye', 'die'), hash = randomblob(32) WHERE sequence = 7"],
        7,
    ),
    "hash": (["UPDATE readings SET hash = zeroblob(32) WHERE sequence = 12"], 12),
    "value": (["UPDATE readings SET value = 7.5 WHERE sequence = 5"], 5),
    "time": (["UPDATE readings SET captured_at = '2027' WHERE sequence = 5"], 5),
    "id": (["UPDATE readings SET id = 'x' WHERE sequence = 5"], 5),
    "site": (["UPDATE readings SET site = 'H12' WHERE sequence = 5"], 5),
    "refusal": (["UPDATE readings SET refused = 1, value = NULL, reason = 'glare' WHERE sequence = 5"], 5),
    "first deleted": (["DELETE FROM readings WHERE sequence = 1"], 1),
    "middle deleted": (["DELETE FROM readings WHERE sequence = 15"], 15),
    "event deleted": (["DELETE FROM events WHERE sequence = 22"], 22),
    "reordered": (SWAP, 3),
    "inserted": ([*MOVE, COPY], 5),
    "cut off": (
        [
            "DELETE FROM events WHERE sequence > 30",
            "DELETE FROM readings WHERE sequence > 30",
            "DELETE FROM flags WHERE sequence > 30",
        ],
        31,
    ),
    "emptied": (["DELETE FROM events", "DELETE FROM readings", "DELETE FROM flags", "DELETE FROM spans"], 1),
    "before the first": ([COPY.replace("SELECT 5", "SELECT 0")], 0),
    "far before the first": ([COPY.replace("SELECT 5", "SELECT -7")], -7),
    "event before the first": (
        ["INSERT INTO events SELECT 0, hash, previous, 'new', at, who, what, json FROM events LIMIT 1"],
        0,
    ),
    "event far before the first": (
        ["INSERT INTO events SELECT -7, hash, previous, 'new', at, who, what, json FROM events LIMIT 1"],
        -7,
    ),
    "trigger that drops refusals": (
        ["CREATE TRIGGER another BEFORE INSERT ON readings WHEN NEW.refused BEGIN SELECT RAISE(IGNORE); END"],
        0,
    ),
    "flag before the first": (["INSERT INTO flags VALUES (0, 'focus', 0, NULL, 'A3')"], 0),
    "flag taken": (["DELETE FROM flags WHERE sequence = 6"], 6),
    "flag given": (["INSERT INTO flags VALUES (7, 'focus', 0, NULL, 'A3')"], 7),
    "flag of nothing": (["INSERT INTO flags VALUES (99, 'focus', 0, NULL, 'A3')"], 99),
    "span": (["UPDATE spans SET last_at = first_at"], 2),
    "event's text": (["UPDATE events SET json = replace(json, 'burnt', 'fine') WHERE sequence = 11"], 11),
    "event's column": (["UPDATE events SET who = 'nobody' WHERE sequence = 22"], 22),
    "marked as deleted": (["INSERT INTO retention VALUES (1, 20)"], 20),
    "marked and deleted": (
        ["INSERT INTO retention VALUES (1, 9)", "DELETE FROM readings WHERE sequence < 10"],
        9,
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_finds(store: Path, key: KeyPair, attack: str) -> None:
    statements, place = ATTACKS[attack]
    alter(store, *statements)
    found = verify(store, [key.key])
    assert not found.passed
    assert found.bad_sequence == place


def rewrite(path: Path) -> bytes:
    """Chain all rows anew, as somebody does who has read this program; return the last hash."""
    previous = GENESIS
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(
            "SELECT sequence, 'readings', json FROM readings UNION ALL"
            " SELECT sequence, 'events', json FROM events ORDER BY sequence"
        ).fetchall()
    statements = []
    for sequence, table, text in rows:
        more = f", previous = x'{previous.hex()}'" if table == "events" else ""
        previous = link(previous, sequence, Kind(table.rstrip("s")), text.encode())
        statements.append(f"UPDATE {table} SET hash = x'{previous.hex()}'{more} WHERE sequence = {sequence}")
    alter(path, *statements)
    return previous


ALTERED = "UPDATE readings SET json = replace(json, 'dye', 'die') WHERE sequence = 7"


def test_whole_chain_made_anew_contradicts_its_heads(store: Path) -> None:
    alter(store, ALTERED)
    rewrite(store)
    found = verify(store)
    assert found.bad_sequence == 10
    assert "head" in found.problem


def test_heads_made_anew_are_not_signed_by_the_device(store: Path, key: KeyPair, tmp_path: Path) -> None:
    alter(store, ALTERED)
    last = rewrite(store)
    heads_path(store).unlink()
    append_head(heads_path(store), make_head("2026-02-01", ROWS, last, None))
    assert verify(store).passed
    assert "no head is signed" in "".join(verify(store).notes)
    assert "no head is signed" in verify(store, [key.key]).problem

    other = make_key("other", tmp_path)
    append_head(heads_path(store), make_head("2026-02-01", ROWS, last, load_signer(other.private)))
    found = verify(store, [key.key])
    assert found.bad_sequence == ROWS
    assert "another key" in found.problem


def test_signature_over_something_else(store: Path, key: KeyPair) -> None:
    text = heads_path(store).read_text()
    last = text.splitlines()[-1].replace(f'"sequence": {ROWS}', '"sequence": 34')
    heads_path(store).write_text(text + last + "\n")
    found = verify(store)
    assert found.bad_sequence == 34
    assert "signature" in found.problem


def test_taking_heads_away(store: Path, key: KeyPair, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = heads_path(store).read_bytes().splitlines(keepends=True)
    heads_path(store).write_bytes(lines[0])
    found = verify(store, [key.key])
    assert "rows 11 to 33 are not covered by a signature" in "".join(found.notes)
    monkeypatch.setattr(verifying, "MOST_UNSIGNED", 5)
    assert verify(store, [key.key]).bad_sequence == 11
    heads_path(store).unlink()
    assert "missing" in verify(store).problem


def test_heads_kept_elsewhere_find_what_both_files_hide(store: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "copy.heads"
    elsewhere.write_bytes(heads_path(store).read_bytes())
    alter(store, *ATTACKS["cut off"][0])
    heads_path(store).write_bytes(b"".join(heads_path(store).read_bytes().splitlines(keepends=True)[:1]))
    assert verify(store).passed
    assert verify_store(store, elsewhere).bad_sequence == 31


def test_half_a_line_from_a_power_cut_is_noted(store: Path, key: KeyPair) -> None:
    whole = heads_path(store).read_bytes()
    heads_path(store).write_bytes(whole + whole.splitlines()[-1][:40])
    with opened(store, load_signer(key.private)) as again:
        again.append([varied(40)])
    found = verify(store, [key.key])
    assert found.passed
    assert "1 lines of the file of heads cannot be read" in "".join(found.notes)
    assert found.signed_up_to == ROWS + 1


def test_missing_trigger_is_noted(store: Path) -> None:
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("DROP TRIGGER readings_no_delete")
    assert "append-only" in "".join(verify(store).notes)


def test_while_it_is_written(store: Path) -> None:
    with opened(store) as open_store:
        open_store.add(happened())
        assert verify(store).last == ROWS + 1
    assert numbers(store, "events") == [11, 22, 33, 34]


def test_the_hash_covers_what_it_says() -> None:
    """Texts are preceded by their length: nothing can be moved from one part to the next."""
    base = link(GENESIS, 1, Kind.READING, b"{}")
    assert len(base) == 32
    others = {
        link(GENESIS, 2, Kind.READING, b"{}"),
        link(GENESIS, 1, Kind.EVENT, b"{}"),
        link(base, 1, Kind.READING, b"{}"),
        link(GENESIS, 1, Kind.READING, b"{} "),
    }
    assert len(others | {base}) == 5


@pytest.mark.parametrize("seed", range(40))
def test_any_damage_to_the_file_is_found_or_changes_nothing(store: Path, key: KeyPair, seed: int) -> None:
    generator = random.Random(seed)
    data = bytearray(store.read_bytes())
    for _ in range(generator.choice([1, 1, 30])):
        # The first hundred bytes hold counters that nothing depends on, beside the header.
        data[generator.randrange(100, len(data))] ^= 1 << generator.randrange(8)
    store.write_bytes(data)
    try:
        passed = verify(store, [key.key]).passed
    except AnalyteError:
        passed = False
    if passed:
        with closing(SqliteReadingLog(store)) as log:
            found = [one.json for one in log.following(0, 100)]
        assert found == [varied(number).to_json() for number in range(30)]


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_no_line_of_heads_brings_it_down(line: bytes) -> None:
    parse_head(line)


@given(
    st.fixed_dictionaries(
        {
            name: st.none() | st.integers() | st.text(max_size=70) | st.lists(st.integers(), max_size=2)
            for name in ("schema_version", "at", "sequence", "hash", "key", "signature")
        }
    )
)
def test_no_fields_of_heads_bring_it_down(fields: dict[str, object]) -> None:
    try:
        head = parse_head(json.dumps(fields).encode())
    except IntegrityError:
        assert isinstance(fields["schema_version"], int)
    else:
        assert head is None or len(head.hash) == 64
