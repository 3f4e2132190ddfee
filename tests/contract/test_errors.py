"""The tree in the docstring is the tree in the code, and every message is one line."""

from __future__ import annotations

import inspect
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyte.contract import errors
from analyte.contract.errors import AnalyteError

CLASSES = {
    name: found
    for name, found in inspect.getmembers(errors, inspect.isclass)
    if issubclass(found, AnalyteError) and found.__module__ == errors.__name__
}


def documented() -> dict[str, tuple[str, int]]:
    """Parent and exit code by class, read from the tree that people read."""
    found: dict[str, tuple[str, int]] = {}
    stack: list[tuple[int, str, int]] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"^([│ ├└─]*)(\w+Error)\b\s*(\d?)", line)
        if match is None:
            continue
        depth, name = len(match[1]), match[2]
        stack = [entry for entry in stack if entry[0] < depth]
        code = int(match[3]) if match[3] else stack[-1][2]
        found[name] = (stack[-1][1] if stack else "Exception", code)
        stack.append((depth, name, code))
    return found


def test_documented_tree_is_the_real_one() -> None:
    real = {name: (found.__mro__[1].__name__, found.exit_code) for name, found in CLASSES.items()}
    assert documented() == real
    assert len(real) == 12


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("InputError", 3),
        ("ImageError", 3),
        ("DatasetError", 3),
        ("ProfileError", 3),
        ("OutputError", 3),
        ("ParityError", 4),
        ("UnavailableError", 5),
        ("CameraError", 6),
        ("IntegrityError", 7),
    ],
)
def test_exit_codes_are_those_of_the_design(name: str, code: int) -> None:
    assert CLASSES[name].exit_code == code


@given(st.text(), st.text(), st.text(), st.text(), st.text())
def test_any_message_is_one_line(what: str, where: str, expected: str, got: str, fix: str) -> None:
    line = AnalyteError(what, where=where, expected=expected, got=got, fix=fix).line()
    assert len(line.splitlines()) <= 1


def test_order_of_the_parts() -> None:
    error = AnalyteError("is wrong", where="f.toml", expected=1, got=0, fix="Write 1")
    assert str(error) == "f.toml: is wrong; expected 1; got 0. Write 1"


def test_falsy_parts_are_shown() -> None:
    assert AnalyteError("wrong", expected=0, got="").line() == "wrong; expected 0; got"


def test_a_copy_is_called_by_the_name_of_the_original() -> None:
    found = errors.ProfileError(
        "/tmp/x is odd", where="/tmp/x/a", expected="not /tmp/x", got="/tmp/x", fix="See /tmp/x"
    ).named("/tmp/x", "my.zip")
    assert type(found) is errors.ProfileError
    assert found.line() == "my.zip/a: my.zip is odd; expected not my.zip; got my.zip. See my.zip"
