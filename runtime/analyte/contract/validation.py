"""Turning pydantic's findings into one line that names key, expectation and what was found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from analyte.contract.errors import InputError

E = TypeVar("E", bound=InputError)


def in_words(error: ValidationError, model: type[BaseModel] | None = None) -> str:
    """Return the problems of a validation as ``key: expectation, got value``, joined by semicolons.

    ``model``: what was validated, where people write the keys by hand: an unknown one is answered with those
    that there are.
    """
    parts: list[str] = []
    for problem in error.errors(include_url=False):
        key = ".".join(str(step) for step in problem["loc"])
        if problem["type"] == "extra_forbidden":
            known = ", ".join(_keys_beside(problem["loc"], model))
            parts.append(
                f"{key}: unknown key" + (f", expected {known}{_got(problem['input'])}" if known else "")
            )
        elif problem["type"] == "missing":
            last = problem["loc"][-1]
            # Of a list that is too short, its next entry is missing.
            name = f"{key.rpartition('.')[0]}: entry {last + 1}" if isinstance(last, int) else f"{key}:"
            parts.append(f"{name} is required")
        else:
            message = _plain(problem)
            place = f"{key}: " if key else ""
            parts.append(f"{place}{message[:1].lower()}{message[1:]}{_got(problem['input'])}")
    return "; ".join(parts)


def not_toml(error: Exception, kind: type[E], where: Path) -> E:
    """Return what to raise for a file that `tomllib` does not take; ``error``: what decoding it raised."""
    if isinstance(error, UnicodeDecodeError):
        return kind(
            "not UTF-8 text",
            where=where,
            got=f"byte 0x{error.object[error.start]:02x} at position {error.start}",
            fix="Save it as UTF-8",
        )
    return kind("not valid TOML", where=where, got=error)


def _plain(problem: ErrorDetails) -> str:
    """Return what was expected in the words of TOML; pydantic's own are Python's."""
    limits = problem.get("ctx", {})
    match problem["type"]:
        case "model_type" | "dict_type" | "mapping_type":
            return "must be a table of keys"
        case "tuple_type" | "list_type":
            return "must be a list in brackets"
        case "too_short":
            return f"must have at least {_entries(limits['min_length'])}"
        case "too_long":
            return f"must have at most {_entries(limits['max_length'])}"
        case "path_type":
            return "must be a path in quotes"
        case "string_type":
            return "must be text in quotes"
        case "bool_type" | "bool_parsing":
            return "must be true or false"
        case "int_type" | "int_parsing" | "int_from_float":
            return "must be a whole number"
        case "float_type" | "float_parsing":
            return "must be a number"
        case _:
            return problem["msg"].removeprefix("Value error, ")


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"


def _keys_beside(place: Sequence[int | str], model: type[BaseModel] | None) -> tuple[str, ...]:
    """Return the keys that the table of an unknown key may have; none where that is not known."""
    for step in place[:-1]:
        field = None if model is None else model.model_fields.get(str(step))
        # A table that may be absent is annotated as one of two.
        kinds = () if field is None else (field.annotation, *get_args(field.annotation))
        models = (kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel))
        model = next(models, None)
    return () if model is None else tuple(model.model_fields)


def _got(value: object) -> str:
    if isinstance(value, dict):
        return ""
    text = repr(value)
    return f", got {text if len(text) <= 80 else f'{text[:77]}...'}"
