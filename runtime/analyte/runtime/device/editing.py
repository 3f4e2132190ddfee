"""Changing keys of a profile's ``[engine]`` table and not a character beside them: comments stay."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from analyte.contract.errors import ProfileError

Value = str | int | tuple[str, ...]
_HEADER = re.compile(r"\s*\[\s*engine\s*\]\s*(#.*)?$")
_ANY_HEADER = re.compile(r"\s*\[")
_KEY = re.compile(r"\s*(?P<key>[A-Za-z0-9_-]+)\s*(?P<below>\.[^=]*)?=")


def edit_engine(text: str, changes: Mapping[str, Value | None], *, where: object) -> str:
    """Return the profile's text with ``changes`` made under ``[engine]``; None takes a key out.

    What follows a value on its line stays. The result is read again and compared with what it should say.
    Raises: ProfileError when the table is written in a way that cannot be edited line by line.
    """
    ending = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines()
    start = next((i for i, line in enumerate(lines) if _HEADER.match(line)), None)
    if start is None:
        raise _cannot(where, "no line [engine]")
    left = dict(changes)
    edited, last, index = lines[: start + 1], start + 1, start + 1
    while index < len(lines) and not _ANY_HEADER.match(lines[index]):
        found = _KEY.match(lines[index])
        if found is None:
            edited.append(lines[index])
            index += 1
            continue
        end = _end_of_value(lines, index, where)
        key = found["key"]
        if found["below"] is not None and key in changes and changes[key] is None:
            left.pop(key, None)
        elif key not in left:
            edited += lines[index:end]
        elif (value := left.pop(key)) is not None:
            edited.append(f"{key} = {_toml(value)}{_comment(lines[end - 1])}")
        last, index = len(edited), end
    new = [f"{key} = {_toml(value)}" for key, value in left.items() if value is not None]
    edited[last:last] = new
    result = ending.join(edited + lines[index:]) + (ending if text.endswith("\n") else "")
    _check(text, result, changes, where)
    return result


def _end_of_value(lines: list[str], start: int, where: object) -> int:
    """Return the index behind the last line of a value that begins at ``start``."""
    for end in range(start + 1, len(lines) + 1):
        try:
            tomllib.loads("\n".join(lines[start:end]))
        except tomllib.TOMLDecodeError:
            continue
        return end
    raise _cannot(where, lines[start].strip())


def _comment(line: str) -> str:
    """Return the comment behind a value, with the space before it; empty where there is none."""
    for found in re.finditer(r"\s*#", line):
        head = line[: found.start()]
        # A # within a string leaves no whole value before it. Of a list over lines, this is the last one.
        try:
            tomllib.loads(head if _KEY.match(head) else f"x = [{head}")
        except tomllib.TOMLDecodeError:
            continue
        return line[found.start() :]
    return ""


def _toml(value: Value) -> str:
    # Names, numbers and lists of names are written alike in JSON and TOML.
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


def _check(before: str, after: str, changes: Mapping[str, Value | None], where: object) -> None:
    wanted: dict[str, Any] = tomllib.loads(before)
    for key, value in changes.items():
        if value is None:
            wanted["engine"].pop(key, None)
        else:
            wanted["engine"][key] = list(value) if isinstance(value, tuple) else value
    try:
        got = tomllib.loads(after)
    except tomllib.TOMLDecodeError as error:
        raise _cannot(where, error) from error
    if got != wanted:
        raise _cannot(where, "an edit would change more than it should")


def _cannot(where: object, got: object) -> ProfileError:
    return ProfileError(
        "[engine] cannot be edited line by line",
        where=where,
        expected="a line [engine] and under it one line, or one value, per key",
        got=got,
        fix="Write it like the profiles in device_configs/, or change it by hand",
    )
