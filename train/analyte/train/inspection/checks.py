"""All checks of a dataset, by name; a new one is a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from analyte.train.inspection.copies import check_copies, check_look_alikes
from analyte.train.inspection.covariate_cells import check_cells
from analyte.train.inspection.covariates import check_shown, check_telling
from analyte.train.inspection.encoding import check_encoding
from analyte.train.inspection.exposure import check_exposure
from analyte.train.inspection.finding import SEVERITIES, Finding
from analyte.train.inspection.grouping import (
    check_amount,
    check_groups,
    check_shared_groups,
    check_shared_sessions,
    check_splits,
)
from analyte.train.inspection.inspection import Check, Inspection
from analyte.train.inspection.pictures import (
    check_grey,
    check_orientation,
    check_readable,
    check_shape,
    check_size,
)
from analyte.train.inspection.sessions import check_confounding, check_light
from analyte.train.inspection.unused_columns import check_unused
from analyte.train.inspection.values import check_balance, check_coverage, check_extrapolation

CHECKS: Mapping[str, Check] = {
    "readable": check_readable,
    "splits": check_splits,
    "shared groups": check_shared_groups,
    "shared sessions": check_shared_sessions,
    "copies": check_copies,
    "look-alikes": check_look_alikes,
    "groups": check_groups,
    "amount": check_amount,
    "extrapolation": check_extrapolation,
    "coverage": check_coverage,
    "balance": check_balance,
    "unused columns": check_unused,
    "covariates typed": lambda inspection: check_cells(inspection.dataset),
    "covariates shown": check_shown,
    "covariates telling": check_telling,
    "light": check_light,
    "confounding": check_confounding,
    "exposure": check_exposure,
    "encoding": check_encoding,
    "grey": check_grey,
    "size": check_size,
    "shape": check_shape,
    "orientation": check_orientation,
}
"""In the order of what does most harm."""


def run_checks(
    inspection: Inspection, *, on_progress: Callable[[str], object] = lambda name: None
) -> list[Finding]:
    """Return what was found, errors first. ``on_progress`` is called with each check's name at its start."""
    findings: list[Finding] = []
    for name, check in CHECKS.items():
        on_progress(name)
        findings += check(inspection)
    return sorted(findings, key=lambda found: SEVERITIES.index(found.severity))
