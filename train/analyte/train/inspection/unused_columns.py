"""Columns of the labels file that have no meaning: one that was mistyped would be missed by nobody."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from analyte.contract.dataset import COLUMNS, DatasetSpec
from analyte.train.inspection.finding import Finding, count
from analyte.train.inspection.inspection import Inspection, finding

_CUTOFF = 0.75
"""Likeness (difflib's ratio, 0 to 1) from which a name is taken for a mistyped one."""
_SHORTEST = 4
"""Letters of a name from which likeness says anything."""


def unused_columns(columns: Iterable[str], spec: DatasetSpec) -> dict[str, str | None]:
    """Return those of ``columns`` that are neither known nor declared, and what each may be a slip of.

    In the order of the alphabet; None where no known column or declared covariate has a similar name.
    """
    known = COLUMNS | set(spec.covariate_names)
    return {name: _meant(name, known) for name in sorted(set(columns) - known)}


def _meant(name: str, known: frozenset[str]) -> str | None:
    by_fold = {entry.casefold(): entry for entry in sorted(known) if len(entry) >= _SHORTEST}
    close = difflib.get_close_matches(name.casefold(), list(by_fold), 1, _CUTOFF)
    return by_fold[close[0]] if close else None


def described(unused: Mapping[str, str | None], spec: DatasetSpec) -> list[str]:
    """Return each with what it may be: ``tempreature (did you mean the covariate temperature?)``."""
    parts: list[str] = []
    for name, meant in unused.items():
        kind = "covariate" if meant in spec.covariate_names else "column"
        parts.append(name + (f" (did you mean the {kind} {meant}?)" if meant else ""))
    return parts


def check_unused(inspection: Inspection) -> list[Finding]:
    """Columns that nothing reads."""
    spec = inspection.dataset.spec
    unused = unused_columns(inspection.columns, spec)
    if not unused:
        return []
    return [
        finding(
            "unused-column",
            "warning" if any(unused.values()) else "note",
            f"{count(len(unused), 'column')} of the labels that nothing reads",
            "Correct the name where it is mistyped; name it in covariates or categorical_covariates of "
            "dataset.toml where the network is to take it; otherwise nothing",
            details=described(unused, spec),
        )
    ]
