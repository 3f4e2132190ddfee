"""The record as lines of text."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from analyte.runtime.store.chain import Kind
from analyte.runtime.store.connecting import connect_to_read
from analyte.runtime.store.tailing import Entry, entries_after, last_sequence
from analyte.runtime.store.verifying import Verification

_LOOK_S = 0.5
"""How often to look for new rows, seconds."""
_ROWS_AT_A_TIME = 1000


def follow_log(store: Path, lines: int, *, follow: bool, as_json: bool, echo: Callable[[str], None]) -> None:
    """Print the last ``lines`` rows of the chain, and go on for ever with ``follow``.

    Raises: InputError when there is no store, IntegrityError for another file.
    """
    with closing(connect_to_read(store)) as connection:
        reached = max(0, last_sequence(connection) - lines)
        while True:
            while entries := entries_after(connection, reached, _ROWS_AT_A_TIME):
                for entry in entries:
                    echo(_as_json(entry) if as_json else _as_text(entry))
                reached = entries[-1].sequence
            if not follow:
                return
            time.sleep(_LOOK_S)


def _as_json(entry: Entry) -> str:
    fields = {"sequence": entry.sequence, "kind": str(entry.kind), **json.loads(entry.json)}
    return json.dumps(fields, ensure_ascii=False)


def _as_text(entry: Entry) -> str:
    fields: dict[str, Any] = json.loads(entry.json)
    said = _event(fields) if entry.kind is Kind.EVENT else _reading(fields)
    at = str(fields["at" if entry.kind is Kind.EVENT else "captured_at"])[:23]
    return _printable(f"{entry.sequence:>8}  {at}  {said}")


def _reading(fields: dict[str, Any]) -> str:
    site = f"{fields['site']} " if fields.get("site") else ""
    if fields["refused"]:
        return f"{site}refused: {fields['reason']} {fields['detail']}".rstrip()
    value, lower, upper, unit = (fields[name] for name in ("value", "lower", "upper", "unit"))
    if value is None:
        said = f"less than {upper:.6g} {unit}" if upper is not None else f"no value {unit}"
    else:
        said = f"{value:.6g} {unit}"
        if lower is not None and upper is not None:
            said += f" [{lower:.6g}, {upper:.6g}]"
    return f"{site}{said} {' '.join(fields['flags'])}".rstrip()


def _event(fields: dict[str, Any]) -> str:
    change = ""
    if fields["old"] is not None or fields["new"] is not None:
        old, new = (json.dumps(fields[name], ensure_ascii=False) for name in ("old", "new"))
        change = f" {old} -> {new}" if fields["old"] is not None else f" {new}"
    why = f" ({fields['why']})" if fields["why"] else ""
    return f"{fields['what']} by {fields['who']}{why}{change}"


def _printable(text: str) -> str:
    """Return text that cannot steer a terminal: names and reasons are whatever somebody wrote."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def verification_text(found: Verification) -> str:
    """Return what a verification found, for people."""
    reached = "" if found.passed else "looked at until then: "
    counted = f"{found.readings} readings and {found.events} events, rows {found.first} to {found.last}"
    lines = [reached + counted]
    if found.deleted_up_to:
        lines.append(f"readings up to row {found.deleted_up_to} were deleted by retention; its events say so")
    signed = (
        f"{found.signed_heads} of them signed by {', '.join(found.keys)}" if found.keys else "none signed"
    )
    lines.append(f"{found.heads} heads, {signed}")
    lines += [f"note: {note}" for note in found.notes]
    lines.append("verified" if found.passed else "NOT verified")
    return "\n".join(lines)
