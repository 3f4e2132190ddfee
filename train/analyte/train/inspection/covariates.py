"""Checks of covariates: numbers and categories beside the picture."""

from __future__ import annotations

import math
from collections import Counter

from analyte.contract.dataset import Sample
from analyte.train.inspection.finding import Finding, count, listed
from analyte.train.inspection.inspection import Inspection, finding


def check_covariates(inspection: Inspection) -> list[Finding]:
    """Declared columns that are missing, cells that are empty or no number, views that contradict."""
    spec = inspection.dataset.spec
    declared = {**dict.fromkeys(spec.covariates, True), **dict.fromkeys(spec.categorical_covariates, False)}
    findings: list[Finding] = []
    for name, numeric in declared.items():
        if name not in inspection.table.columns:
            findings.append(
                finding(
                    "covariate-missing",
                    "error",
                    f"dataset.toml declares the covariate {name!r}, and the labels have no such column, or "
                    "an empty one",
                    f"Add the column {name}, or take it out of dataset.toml",
                )
            )
            continue
        bad = [sample for sample in inspection.samples if not _valid(inspection, sample, name, numeric)]
        if bad:
            wanted = "one finite number" if numeric else "one category"
            findings.append(
                finding(
                    "covariate-unusable",
                    "error",
                    f"{count(len(bad), 'sample')} without {wanted} as covariate {name!r}",
                    "Fill the cell, the same in every row of a sample",
                    at=inspection.where(bad),
                    details=_shown(inspection, bad, name),
                )
            )
        elif not numeric:
            findings += _unseen_categories(inspection, name)
    return findings


def _cells(inspection: Inspection, sample: Sample, name: str) -> set[str]:
    return {inspection.table.cell(view, name) for view in sample.views}


def _valid(inspection: Inspection, sample: Sample, name: str, numeric: bool) -> bool:
    cells = _cells(inspection, sample, name)
    if not numeric:
        return len(cells) == 1 and "" not in cells
    try:
        # Python reads 1_5 as 15.
        numbers = {float("" if "_" in cell else cell) for cell in cells}
    except ValueError:
        return False
    return len(numbers) == 1 and all(map(math.isfinite, numbers))


def _shown(inspection: Inspection, bad: list[Sample], name: str) -> list[str]:
    found = Counter(" / ".join(sorted(map(repr, _cells(inspection, sample, name)))) for sample in bad)
    return [f"{text} ({n})" for text, n in found.most_common()]


def _unseen_categories(inspection: Inspection, name: str) -> list[Finding]:
    """Categories of the test split that training does not show."""
    shown = {cell for sample in inspection.training for cell in _cells(inspection, sample, name)}
    unseen = [sample for sample in inspection.test if not _cells(inspection, sample, name) <= shown]
    if not unseen:
        return []
    names = sorted({cell for sample in unseen for cell in _cells(inspection, sample, name)} - shown)
    return [
        finding(
            "category-only-in-test",
            "warning",
            f"{count(len(unseen), 'test sample')} with a {name} that training does not show: {listed(names)}",
            "Give every category to training, or leave the covariate out",
            at=inspection.where(unseen),
        )
    ]
