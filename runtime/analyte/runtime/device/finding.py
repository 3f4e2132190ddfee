"""What a check of a machine says: one line each, with the command that mends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from analyte.contract.errors import AnalyteError
from analyte.contract.redaction import redact

Status = Literal["ok", "warning", "missing"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a profile needs; JSON names equal field names."""

    check: str
    """What was looked at, such as ``camera``."""
    status: Status
    """``missing``: the daemon would not start or not measure; ``warning``: it would."""
    found: str
    """What is there, or what is not."""
    fix: str | None = None
    """The command, or the change, that mends it."""
    exit_code: int = 0
    """That of the error class which the daemon would end with; 0 unless something is missing."""


def ok(check: str, found: str) -> Finding:
    """Return that all is well."""
    return Finding(check, "ok", redact(found))


def warning(check: str, found: str, fix: str | None) -> Finding:
    """Return what does not stop the daemon."""
    return Finding(check, "warning", redact(found), fix)


def missing(check: str, found: str, fix: str | None, kind: type[AnalyteError]) -> Finding:
    """Return what stops the daemon, by the class of the error that it would end with."""
    return Finding(check, "missing", redact(found), fix, kind.exit_code)


def refused(check: str, error: AnalyteError) -> Finding:
    """Return an error of one of the device's own parts."""
    bare = type(error)(error.what, where=error.where, expected=error.expected, got=error.got)
    return Finding(check, "missing", redact(bare.line()), error.fix and redact(error.fix), error.exit_code)


def exit_code(findings: list[Finding]) -> int:
    """Return the exit code of the first that is missing; 0 when none is."""
    return next((finding.exit_code for finding in findings if finding.status == "missing"), 0)
