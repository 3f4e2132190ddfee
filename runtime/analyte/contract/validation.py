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
            if problem["type"] == "model_type":
                message = "must be a table of keys"  # pydantic names its own class here
            place = f"{key}: " if key else ""
            shown = "" if isinstance(problem["input"], dict) else f", got {_shown(problem['input'])}"
            parts.append(f"{place}{message[:1].lower()}{message[1:]}{shown}")
    return "; ".join(parts)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
