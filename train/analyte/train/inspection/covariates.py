"""Checks of covariates, numbers and categories beside the picture: what training shows, what they tell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analyte.contract.covariates import CovariateSpec, fit_covariates
from analyte.contract.dataset import Sample
from analyte.train.inspection.association import PER_KIND, ranks_of, share_explained, share_predicted
from analyte.train.inspection.finding import Finding, count, listed, shown
from analyte.train.inspection.inspection import Inspection, finding

_TELLS = 0.98
"""Share of the variance of the values from which a covariate tells them by itself."""


def check_shown(inspection: Inspection) -> list[Finding]:
    """Numbers beyond those of the training split, and categories that it lacks."""
    dataset = inspection.dataset
    training = dataset.subset("train").samples
    judged = [sample for sample in inspection.samples if sample.split in ("val", "test")]
    if not training or not judged:
        return []
    spec = fit_covariates(
        dataset.spec.covariates,
        dataset.spec.categorical_covariates,
        [dataset.covariates_of(sample) for sample in training],
    )
    return [*_beyond(inspection, spec, judged), *_unknown(inspection, spec, judged)]


def _beyond(inspection: Inspection, spec: CovariateSpec, judged: Sequence[Sample]) -> list[Finding]:
    refused: dict[str, Sample] = {}
    flagged: dict[str, Sample] = {}
    details: list[str] = []
    for entry in spec.numeric:
        alone = CovariateSpec(numeric=(entry,))
        given = [inspection.dataset.covariates_of(sample) for sample in judged]
        found = [alone.examine(covariates) for covariates in given]
        outside = [float(c[entry.name]) for c, e in zip(given, found, strict=True) if e.problem or e.remark]
        refused |= {sample.id: sample for sample, e in zip(judged, found, strict=True) if e.problem}
        flagged |= {sample.id: sample for sample, e in zip(judged, found, strict=True) if e.remark}
        if outside:
            details.append(
                f"{entry.name}: {shown(entry.range[0])} to {shown(entry.range[1])} in training, "
                f"{shown(min(outside))} to {shown(max(outside))} beyond it ({len(outside)})"
            )
    if not details:
        return []
    concerned = refused | flagged
    return [
        finding(
            "covariate-beyond-training",
            "warning",
            f"{count(len(concerned), 'sample')} of validation or test with a covariate "
            f"beyond the training's range: a device would refuse {len(refused)} (beyond it by more than a "
            f"tenth of it) and flag {len(concerned) - len(refused)}",
            "Add samples to training that enclose what the device will meet, or leave the covariate out",
            at=inspection.where(list(concerned.values())),
            details=details,
        )
    ]


def _unknown(inspection: Inspection, spec: CovariateSpec, judged: Sequence[Sample]) -> list[Finding]:
    unknown: list[Sample] = []
    details: list[str] = []
    for entry in spec.categorical:
        alone = CovariateSpec(categorical=(entry,))
        found = [s for s in judged if alone.examine(inspection.dataset.covariates_of(s)).problem]
        if found:
            names = sorted({str(inspection.dataset.covariates_of(sample)[entry.name]) for sample in found})
            details.append(f"{entry.name}: {listed(names)} ({len(found)})")
            unknown += found
    if not details:
        return []
    return [
        finding(
            "category-not-in-training",
            "warning",
            f"{count(len({sample.id for sample in unknown}), 'sample')} of validation or test with a "
            "category that training does not show: a device would refuse all of them",
            "Give every category to training, or leave the covariate out",
            at=inspection.where(unknown),
            details=details,
        )
    ]


def check_telling(inspection: Inspection) -> list[Finding]:
    """Covariates from which the value can be told without the picture."""
    spec = inspection.dataset.spec
    shares = {name: _told(inspection, name) for name in spec.covariate_names}
    details = [f"{name}: {share:.1%}" for name, share in shares.items() if share > _TELLS]
    if not details:
        return []
    return [
        finding(
            "value-by-covariate",
            "warning",
            f"{count(len(details), 'covariate')} alone telling over {_TELLS:.0%} of the variance of the "
            "values (their ranks): the network may read the covariate and not the picture",
            "Leave the covariate out where it follows from the value, or measure every value at every one "
            "of its numbers or categories",
            details=details,
        )
    ]


def _told(inspection: Inspection, name: str) -> float:
    """Return the share of the variance of the ranks of the values that training shows, at most 1.

    A number counts as a curve, by its ranks, so that its unit and scale do not matter; and as a category
    where it occurs often enough, so that numbers of lots do not need an order.
    """
    samples = inspection.training
    cells = [inspection.dataset.covariates_of(sample)[name] for sample in samples]
    values = np.asarray([sample.value for sample in samples], np.float64)
    shares = [0.0]
    if len(samples) >= PER_KIND * len(set(cells)):
        shares.append(share_explained([str(cell) for cell in cells], values))
    if name in inspection.dataset.spec.covariates:
        ranks = ranks_of(np.asarray(cells, np.float64)) / max(1, len(cells))
        each = np.arange(len(samples)).astype(np.str_)
        shares.append(share_predicted(ranks[:, np.newaxis], ranks_of(values), each))
    return max(shares)
