"""Turning pydantic's findings into one line that names key, expectation and what was found."""

from __future__ import annotations

from pydantic import ValidationError


def in_words(error: ValidationError) -> str:
    """Return the problems of a validation as ``key: expectation, got value``, joined by semicolons."""
    parts: list[str] = []
    for problem in error.errors(include_url=False):
        key = ".".join(str(step) for step in problem["loc"])
        if problem["type"] == "extra_forbidden":
            parts.append(f"{key}: unknown key")
        elif problem["type"] == "missing":
            parts.append(f"{key}: is required")
        else:
            message = problem["msg"].removeprefix("Value error, ")
            shown = "" if isinstance(problem["input"], dict) else f", got {problem['input']!r}"
            parts.append(f"{key or 'file'}: {message[:1].lower()}{message[1:]}{shown}")
    return "; ".join(parts)
