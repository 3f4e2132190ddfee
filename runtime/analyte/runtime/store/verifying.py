"""Verifying a store: every hash, every column, every head."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path

from analyte.contract.signature import PublicKey
from analyte.runtime.store.chain import GENESIS, EventDigest, Kind, link
from analyte.runtime.store.connecting import connect_to_read, in_words
from analyte.runtime.store.heads import Head, read_heads
from analyte.runtime.store.lost_heads import MOST_UNSIGNED, receiver_beyond, remarks
from analyte.runtime.store.rows import (
    EVENT_COLUMNS,
    READING_COLUMNS,
    columns_of_json,
    event_columns,
    event_from_json,
    flag_rows,
)
from analyte.runtime.store.schema import SPAN_BITS, TRIGGERS

Row = tuple[object, ...]


@dataclass(slots=True)
class Verification:
    """What was found out."""

    readings: int = 0
    events: int = 0
    first: int = 0
    """First sequence number of the chain as it is kept; 0 for an empty store."""
    last: int = 0
    deleted_up_to: int = 0
    """Readings up to this sequence number were deleted by retention, which an event says."""
    heads: int = 0
    signed_heads: int = 0
    """Heads whose signature is good: by one of the keys asked for, else by the key that the line names."""
    signed_up_to: int = 0
    """Sequence number of the last of them."""
    keys: list[str] = field(default_factory=list)
    """Fingerprints of the keys that signed."""
    bad_sequence: int | None = None
    problem: str = ""
    """What is wrong first; empty where nothing is."""
    notes: list[str] = field(default_factory=list)
    """What is not wrong, but has to be known."""

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problem

    def to_json(self) -> str:
        """Return this as one line of JSON."""
        return json.dumps({"passed": self.passed, **asdict(self)}, ensure_ascii=False)


class _Problem(Exception):  # noqa: N818 - what is looked for, not an error of this program
    def __init__(self, sequence: int, what: str) -> None:
        super().__init__(what)
        self.sequence = sequence


def verify_store(
    path: Path,
    heads_file: Path,
    keys: Sequence[PublicKey] = (),
    on_progress: Callable[[float], None] = lambda share: None,
) -> Verification:
    """Walk the whole chain of a store, as it is at this moment, and compare it with its heads.

    ``keys``: whose signatures count; any other is a problem. ``on_progress``: takes shares that sum to 1.
    Raises: InputError when there is no store, IntegrityError for a file that is none or damaged,
    UnavailableError without the library for signatures where heads are signed.
    """
    found = Verification()
    with closing(connect_to_read(path)) as connection:
        try:
            # Heads first: those that are written from now on may be ahead of what is read.
            heads = _Heads(heads_file, keys, found)
            connection.execute("BEGIN")
            _Walk(connection, heads, found, on_progress).run()
        except _Problem as problem:
            found.bad_sequence, found.problem = problem.sequence, str(problem)
        except (ValueError, KeyError, TypeError) as error:
            found.bad_sequence, found.problem = (
                found.last + 1,
                f"is in no form that is ever written: {error!r}",
            )
        except sqlite3.Error as error:
            raise in_words(error, path) from error
    return found


class _Heads:
    """Heads by their sequence number, their signatures checked."""

    def __init__(self, path: Path, keys: Sequence[PublicKey], found: Verification) -> None:
        self.by_sequence: dict[int, list[Head]] = {}
        if not path.is_file():
            raise _Problem(0, f"the file of heads is missing: {path}; rows cut off the end cannot be found")
        trusted = {key.raw for key in keys}
        self.demanded = bool(keys)
        unreadable = 0
        for head in read_heads(path):
            if head is None:
                unreadable += 1
                continue
            self.by_sequence.setdefault(head.sequence, []).append(head)
            found.heads += 1
            if head.key is not None:
                _check_signature(head, trusted)
                found.signed_heads += 1
                found.signed_up_to = max(found.signed_up_to, head.sequence)
                if head.key.fingerprint not in found.keys:
                    found.keys.append(head.key.fingerprint)
        if unreadable:
            found.notes.append(
                f"{unreadable} lines of the file of heads cannot be read: a power cut, or damage"
            )
        if not found.signed_heads:
            if keys:
                raise _Problem(0, "no head is signed, and a key was given")
            found.notes.append(
                "no head is signed: whoever can write both files can make another chain that verifies"
            )
        elif not keys:
            found.notes.append("the key that signed is only what the heads say; --key compares it with yours")

    def check(self, sequence: int, hash_: bytes) -> None:
        for head in self.by_sequence.pop(sequence, ()):
            if head.hash != hash_.hex():
                raise _Problem(sequence, f"is not what the head of {head.at} says: replaced or cut off")


def _check_signature(head: Head, trusted: set[bytes]) -> None:
    assert head.key is not None
    if trusted and head.key.raw not in trusted:
        raise _Problem(head.sequence, f"its head is signed by another key, {head.key.fingerprint}")
    if not head.is_signed_well():
        raise _Problem(head.sequence, f"the signature of its head of {head.at} is wrong")


class _Walk:
    """One pass over the tables, in the order of the chain."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        heads: _Heads,
        found: Verification,
        on_progress: Callable[[float], None],
    ) -> None:
        self._connection = connection
        self._heads = heads
        self._found = found
        self._on_progress = on_progress
        self._previous = GENESIS
        self._spans: dict[int, tuple[str, str]] = {}

    def run(self) -> None:
        query = self._connection.execute
        self._spans = {span: (first, last) for span, first, last in query("SELECT * FROM spans")}
        self._check_triggers()
        events = query(
            f"SELECT sequence, hash, json, previous, {EVENT_COLUMNS} FROM events ORDER BY sequence"
        )
        event = self._anchor(events)
        readings = query(f"SELECT sequence, hash, json, {READING_COLUMNS} FROM readings ORDER BY sequence")
        flags = query("SELECT sequence, flag, refused, reason, site FROM flags ORDER BY sequence, flag")
        reading, flag = self._remainder(readings, flags)
        total = query(
            "SELECT coalesce(max(sequence), 0) FROM (SELECT max(sequence) AS sequence FROM readings"
            " UNION ALL SELECT max(sequence) FROM events)"
        ).fetchone()[0]
        total = max(1, total - self._found.deleted_up_to)
        self._merge(event, events, reading, readings, flag, flags, total)
        beyond = max(self._heads.by_sequence, default=0)
        if beyond > self._found.last:
            at = self._heads.by_sequence[beyond][0].at
            raise _Problem(
                self._found.last + 1, f"is missing: the chain was cut off; the head of {at} reached {beyond}"
            )
        self._note_unsigned()
        self._found.notes += remarks(self._connection)
        received = receiver_beyond(self._connection, self._found.last)
        if received:
            raise _Problem(self._found.last + 1, received)
        # An index that was altered would hide a reading from a page.
        fits = query("PRAGMA integrity_check(1)").fetchone()[0]
        if fits != "ok":
            raise _Problem(0, f"the rows are sound, but the file is not: {fits}")

    def _anchor(self, events: Iterator[Row]) -> Row | None:
        """Check the events that outlived the readings around them; return the first one after."""
        anchor = self._connection.execute(
            "SELECT sequence, json FROM events WHERE what = 'retention.deleted'"
            " ORDER BY sequence DESC LIMIT 1"
        ).fetchone()
        says = None if anchor is None else event_from_json(anchor[1]).new
        new = says if isinstance(says, dict) else {}
        up_to = new.get("up_to", 0)
        up_to = up_to if isinstance(up_to, int) else 0
        if anchor is not None and up_to >= anchor[0]:
            raise _Problem(anchor[0], "says that readings were deleted which came after it")
        self._found.deleted_up_to = up_to
        stored = self._connection.execute("SELECT coalesce(max(up_to), 0) FROM retention").fetchone()[0]
        if stored != up_to:
            raise _Problem(stored, f"readings were marked as deleted up to here; the last event says {up_to}")
        digest = EventDigest()
        for row in events:
            self._refuse_before_the_first(row)
            if _int(row[0]) > up_to:
                self._end_of_anchor(new, digest)
                return row
            self._check_event(row, _bytes(row[3]))
            self._heads.check(_int(row[0]), _bytes(row[1]))
            digest.add(_int(row[0]), _bytes(row[1]))
        self._end_of_anchor(new, digest)
        return None

    def _end_of_anchor(self, new: Mapping[str, object], digest: EventDigest) -> None:
        up_to = self._found.deleted_up_to
        # Heads among the deleted readings have nothing left to be compared with.
        for sequence in [number for number in self._heads.by_sequence if number <= up_to]:
            del self._heads.by_sequence[sequence]
        if not up_to:
            return
        if digest.hexdigest() != new.get("events_sha256"):
            raise _Problem(up_to, "the events before are not those that were kept when readings were deleted")
        self._previous = bytes.fromhex(str(new.get("hash")))

    def _remainder(self, readings: Iterator[Row], flags: Iterator[Row]) -> tuple[Row | None, Row | None]:
        """Check the readings that were announced as deleted and are still there, because of a crash or of a
        hold: they are the end of what was announced, and hang together. Return the first reading and the
        first flag after them.
        """
        reading, flag = next(readings, None), next(flags, None)
        for row in (reading, flag):
            self._refuse_before_the_first(row)
        up_to, anchor = self._found.deleted_up_to, self._previous
        if reading is not None and _int(reading[0]) <= up_to:
            first = _int(reading[0])
            events = self._connection.execute(
                f"SELECT sequence, hash, json, previous, {EVENT_COLUMNS} FROM events"
                " WHERE sequence BETWEEN ? AND ? ORDER BY sequence",
                (first - 1, up_to),
            )
            event = next(events, None)
            self._previous = GENESIS
            if event is not None and _int(event[0]) < first:
                self._previous, event = _bytes(event[1]), next(events, None)
            elif first > 1:
                # Its hash hangs on a row that is gone; the row behind hangs on its hash.
                self._previous = b""
                self._found.notes.append(
                    f"readings {first} to {up_to} were announced as deleted and are still there; nothing "
                    f"proves what reading {first} says"
                )
            for expected in range(first, up_to + 1):
                if event is not None and event[0] == expected:
                    self._check_event(event, self._previous)
                    self._previous, event = _bytes(event[1]), next(events, None)
                elif reading is not None and reading[0] == expected:
                    flag = self._check_reading(reading, flags, flag)
                    self._previous, reading = _bytes(reading[1]), next(readings, None)
                else:
                    raise _Problem(expected, "is missing among readings that were announced as deleted")
            if self._previous != anchor:
                raise _Problem(up_to, "is not the reading that was announced as the last one deleted")
        if flag is not None and _int(flag[0]) <= up_to:
            raise _Problem(_int(flag[0]), "has a flag in the table, but there is no such reading")
        return reading, flag

    def _refuse_before_the_first(self, row: Row | None) -> None:
        if row is not None and _int(row[0]) < 1:
            raise _Problem(_int(row[0]), "stands before the first row of the chain")

    def _merge(
        self,
        event: Row | None,
        events: Iterator[Row],
        reading: Row | None,
        readings: Iterator[Row],
        flag: Row | None,
        flags: Iterator[Row],
        total: int,
    ) -> None:
        expected = self._found.deleted_up_to
        self._found.first = expected + 1 if event is not None or reading is not None else 0
        while event is not None or reading is not None:
            expected += 1
            is_event = reading is None or (event is not None and _int(event[0]) <= _int(reading[0]))
            row = event if is_event else reading
            assert row is not None
            sequence = _int(row[0])
            if sequence != expected:
                what = "is missing" if sequence > expected else "is there twice"
                raise _Problem(min(expected, sequence), what)
            if is_event:
                self._check_event(row, self._previous)
                self._found.events += 1
                event = next(events, None)
            else:
                flag = self._check_reading(row, flags, flag)
                self._found.readings += 1
                reading = next(readings, None)
            self._previous = _bytes(row[1])
            self._heads.check(sequence, self._previous)
            self._found.last = sequence
            if expected % 1024 == 0:
                self._on_progress(1024 / total)
        if flag is not None:
            raise _Problem(_int(flag[0]), "has a flag in the table, but there is no such reading")

    def _check_event(self, row: Row, previous: bytes) -> None:
        sequence, hash_, text = _int(row[0]), row[1], str(row[2])
        if row[3] != previous or link(previous, sequence, Kind.EVENT, text.encode()) != hash_:
            raise _Problem(sequence, "the event or its place in the chain was altered")
        try:
            columns = event_columns(event_from_json(text))
        except (ValueError, KeyError, TypeError) as error:
            raise _Problem(sequence, "is no event that this program knows") from error
        if columns != row[4:]:
            raise _Problem(sequence, f"a column of the event was altered: {row[4:]} beside {columns}")

    def _check_reading(self, row: Row, flags: Iterator[Row], flag: Row | None) -> Row | None:
        """Check a reading and its flags; return the flag that follows."""
        sequence, hash_, text = _int(row[0]), row[1], str(row[2])
        is_proved = not self._previous or link(self._previous, sequence, Kind.READING, text.encode()) == hash_
        if not is_proved:
            raise _Problem(sequence, "the reading or its place in the chain was altered")
        try:
            fields = json.loads(text)
            columns = columns_of_json(fields)
            expected = flag_rows(sequence, fields["flags"], columns)
        except (ValueError, KeyError, TypeError) as error:
            raise _Problem(sequence, "is no reading that this program knows") from error
        if columns != row[3:]:
            raise _Problem(
                sequence, f"a column of the reading was altered: {row[3:]} beside {tuple(columns)}"
            )
        stored: list[Row] = []
        while flag is not None and _int(flag[0]) <= sequence:
            stored.append(flag)
            flag = next(flags, None)
        if stored != expected:
            raise _Problem(sequence, "the flags in their table are not those of the reading")
        first, last = self._spans.get(sequence >> SPAN_BITS, ("~", ""))
        if not first <= str(columns.captured_at) <= last:
            raise _Problem(sequence, "its time of capture lies outside what the table of spans says")
        return flag

    def _check_triggers(self) -> None:
        found = {
            row[0] for row in self._connection.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger'")
        }
        if not found >= set(TRIGGERS):
            self._found.notes.append("a trigger that keeps the store append-only was removed or altered")
        if found - set(TRIGGERS):
            raise _Problem(0, "a trigger of somebody else may alter or drop what the daemon stores")

    def _note_unsigned(self) -> None:
        found = self._found
        if self._heads.demanded and found.last - found.signed_up_to > MOST_UNSIGNED:
            raise _Problem(
                found.signed_up_to + 1,
                f"and all rows up to {found.last} are not covered by a signature; heads were taken away",
            )
        if found.signed_heads and found.signed_up_to < found.last:
            found.notes.append(
                f"rows {found.signed_up_to + 1} to {found.last} are not covered by a signature yet"
            )


def _int(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"no number: {value!r}")
    return value


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError(f"no hash: {value!r}")
    return value
