"""Checks of groups and splits: whether a test could be honest at all."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from analyte.contract.dataset import Sample
from analyte.train.inspection.finding import Finding, count, listed
from analyte.train.inspection.inspection import Inspection, finding

_FEW_TEST_GROUPS = 3
_FEW_TEST_SAMPLES = 20
_FEW_GROUPS = 10
_LEAST_TRAINING = 8
"""Training refuses less."""
_FEW_TRAINING = 100
_SPLIT_NAMES = {"val": "validation", "test": "test"}


def check_splits(inspection: Inspection) -> list[Finding]:
    """Split column filled in part, or without training samples."""
    counts = inspection.dataset.counts()
    if "unassigned" in counts and len(counts) > 1:
        blank = [sample for sample in inspection.samples if sample.split is None]
        return [
            finding(
                "split-incomplete",
                "error",
                f"{count(len(blank), 'sample')} without a split, where "
                f"{len(inspection.samples) - len(blank)} have one",
                "Fill the split column for every row, or for none",
                at=inspection.where(blank),
            )
        ]
    if "unassigned" not in counts and "train" not in counts:
        return [
            finding(
                "no-training-samples",
                "error",
                "no sample has split train (there are "
                f"{', '.join(f'{n} {name}' for name, n in counts.items())})",
                "Mark the samples to learn from as train, or leave the split column empty",
            )
        ]
    return []


def check_shared_groups(inspection: Inspection) -> list[Finding]:
    """One specimen or series on two sides of a split."""
    shared = _shared([(sample.group, sample) for sample in inspection.samples])
    findings: list[Finding] = []
    for with_test in (True, False):
        sides = {name: found for name, found in shared.items() if ("test" in found) == with_test}
        if sides:
            flattered = (
                "errors on the test split" if with_test else "the choice of the best epoch and the interval"
            )
            findings.append(
                finding(
                    "group-in-test-and-training" if with_test else "group-in-validation-and-training",
                    "error" if with_test else "warning",
                    f"{count(len(sides), 'group')} in two splits: {flattered} would rest on specimens that "
                    "were seen",
                    "Put every group into one split",
                    at=inspection.where([sample for sample in inspection.samples if sample.group in sides]),
                    details=_sides_shown(sides),
                )
            )
    return findings


def check_shared_sessions(inspection: Inspection) -> list[Finding]:
    """One day's light on two sides of a split, where sessions are more than groups."""
    groups: dict[str, set[str]] = defaultdict(set)
    for sample in inspection.samples:
        groups[sample.session].add(sample.group)
    # A session of one group on two sides is a group on two sides.
    several = [(s.session, s) for s in inspection.samples if len(groups[s.session]) > 1]
    shared = _shared(several)
    findings: list[Finding] = []
    for with_test in (True, False):
        sides = {name: found for name, found in shared.items() if ("test" in found) == with_test}
        if sides:
            split = "test" if with_test else "val"
            judged = len({sample.session for sample in inspection.samples if sample.split == split})
            figures = "errors on the test split" if with_test else "the best epoch and the interval"
            findings.append(
                finding(
                    "session-in-test-and-training" if with_test else "session-in-validation-and-training",
                    "warning",
                    f"{len(sides)} of {count(judged, 'session')} of the {_SPLIT_NAMES[split]} split "
                    f"stand in another too: {figures} would say nothing of a new session and its light",
                    "Put every session into one split, or leave the split column empty and train with "
                    "--split-by session",
                    at=inspection.where([s for s in inspection.samples if s.session in sides]),
                    details=_sides_shown(sides),
                )
            )
    return findings


def _shared(named: Iterable[tuple[str, Sample]]) -> dict[str, Counter[str]]:
    """Return, of what stands in several splits, how many samples it has in each; sorted by name."""
    sides: dict[str, Counter[str]] = defaultdict(Counter)
    for name, sample in named:
        if sample.split is not None:
            sides[name][sample.split] += 1
    return {name: found for name, found in sorted(sides.items()) if len(found) > 1}


def _sides_shown(sides: dict[str, Counter[str]]) -> list[str]:
    return [
        f"{name} ({', '.join(f'{n} {split}' for split, n in found.items())})" for name, found in sides.items()
    ]


def check_groups(inspection: Inspection) -> list[Finding]:
    """Groups missing, every sample its own, or one only."""
    samples = inspection.samples
    groups = {sample.group for sample in samples}
    marked = any(sample.split for sample in samples)
    if len(groups) == 1 and len(samples) > 1 and not marked:
        return [
            finding(
                "one-group",
                "error",
                f"all samples are in one group, {samples[0].group!r}, so none can be set aside for testing",
                "Name the specimen or session of each picture in the group column, or fill a split column",
            )
        ]
    if len(samples) > 1 and len(groups) == len(samples):
        return [_own_groups(inspection)]
    if not inspection.columns & {"group", "sample"} and not marked:
        # Without either, regions of one photograph are one group and nothing else is.
        return [_own_groups(inspection)]
    return []


def _own_groups(inspection: Inspection) -> Finding:
    if "group" in inspection.columns:
        return finding(
            "own-groups",
            "note",
            "every sample is a group of its own: right where each shows another specimen",
            "Give pictures of one specimen or series one group",
        )
    return finding(
        "no-groups",
        "warning",
        "nothing says which pictures show the same specimen, so several of one may stand in training and "
        "in test and errors look too small",
        "Add a group column that names the specimen or series of each picture",
    )


def check_amount(inspection: Inspection) -> list[Finding]:
    """Too few samples or specimens to learn from, or to rest a figure on."""
    training, test = inspection.training, inspection.test
    findings: list[Finding] = []
    if len(training) < _LEAST_TRAINING:
        findings.append(
            finding(
                "too-few-samples",
                "error",
                f"{count(len(training), 'sample')} to learn from, and training needs {_LEAST_TRAINING}",
                "Photograph more specimens of known value",
            )
        )
    elif len(training) < _FEW_TRAINING:
        findings.append(
            finding(
                "few-samples",
                "note",
                f"{count(len(training), 'sample')} to learn from (fewer than {_FEW_TRAINING}): expect the "
                "calibration curve to do as well as a network",
                "Compare with the baseline that training always fits, and photograph more specimens",
            )
        )
    groups = _groups(inspection.samples)
    if 1 < len(groups) < _FEW_GROUPS:
        findings.append(
            finding(
                "few-groups",
                "warning",
                f"{len(groups)} groups (fewer than {_FEW_GROUPS}): errors and intervals rest on very few "
                "independent specimens or series",
                "Measure more specimens or series; photographs of the same ones do not help",
                details=sorted(groups),
            )
        )
    if test and (len(test) < _FEW_TEST_SAMPLES or len(_groups(test)) < _FEW_TEST_GROUPS):
        findings.append(
            finding(
                "small-test",
                "warning",
                f"the test split has {count(len(test), 'sample')} in {count(len(_groups(test)), 'group')} "
                f"(under {_FEW_TEST_SAMPLES} or {_FEW_TEST_GROUPS}): its errors say little",
                "Mark more groups as test, or use cross-validation",
                details=[listed(sorted(_groups(test)))],
            )
        )
    return findings


def _groups(samples: tuple[Sample, ...]) -> set[str]:
    return {sample.group for sample in samples}
