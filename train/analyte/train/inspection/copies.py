"""Checks for one picture under two names: across splits, across groups, and with two values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from analyte.contract.dataset import Sample, sample_hashes
from analyte.train.inspection.finding import Finding, Severity, count, place_of, shown
from analyte.train.inspection.inspection import Inspection, finding
from analyte.train.inspection.look_alikes import LookAlike, find_look_alikes

_SAME_VALUE = 0.01
"""Share of the declared range by which values of look-alikes may differ: readings of one specimen do."""

Relation = Literal["splits", "values", "groups", "rows"]


@dataclass(frozen=True, slots=True)
class _Words:
    severity: Severity
    what: str
    fix: str


_RELATIONS: dict[Relation, _Words] = {
    "splits": _Words(
        "error", "stand in two splits: errors look too small", "Put both into one split, or delete one"
    ),
    "values": _Words("error", "have two values: one is wrong", "Correct the value, or delete the picture"),
    "groups": _Words(
        "warning",
        "stand in two groups, which a split by group may tear apart: errors would look too small",
        "Give both one group, or delete one",
    ),
    "rows": _Words("note", "count twice: independent samples are fewer than rows", "Delete one"),
}

_Pair = tuple[Sample, Sample]


def check_copies(inspection: Inspection) -> list[Finding]:
    """Samples whose files and regions are byte for byte the same."""
    members: dict[tuple[str, ...], list[Sample]] = defaultdict(list)
    usable = [
        sample for sample, fine in zip(inspection.samples, inspection.survey.usable, strict=True) if fine
    ]
    for sample, hashes in zip(usable, _view_hashes(usable), strict=True):
        members[tuple(hashes.tolist())].append(sample)
    found: dict[Relation, list[_Pair]] = defaultdict(list)
    # Each copy against the first: a file that stands a thousand times is not half a million pairs.
    for first, *copies in members.values():
        for copy in copies:
            for relation in _relations(inspection, first, copy, 0.0) or ["rows"]:
                found[relation].append((first, copy))
    return [
        _report(
            inspection,
            f"copies-{relation}",
            words.severity,
            f"are copies that {words.what}",
            words.fix,
            pairs,
        )
        for relation, words in _RELATIONS.items()
        if (pairs := found[relation])
    ]


def check_look_alikes(inspection: Inspection) -> list[Finding]:
    """Pictures that were saved again, turned or resized, and specimens that seem to be photographed twice."""
    survey = inspection.survey
    indices = np.flatnonzero(survey.usable)
    samples = [inspection.samples[index] for index in indices]
    sessions = inspection.sessions()
    wanted = _Wanted(samples)
    found = find_look_alikes(
        samples,
        survey.thumbnails[indices],
        [sample.session for sample in samples] if sessions is not None else [""] * len(samples),
        _view_hashes(samples),
        wanted=wanted.mask,
        turns=inspection.dataset.spec.rotation_invariant,
    )
    low, high = inspection.dataset.spec.range
    tolerance = _SAME_VALUE * (high - low)
    related = [_relations(inspection, samples[e.first], samples[e.second], tolerance) for e in found]
    findings: list[Finding] = []
    for certain in (True, False):
        for relation, words in _RELATIONS.items():
            alike = [
                entry
                for entry, relations in zip(found, related, strict=True)
                if entry.same_picture == certain
                and relation in relations
                # Among thousands of specimens some are alike by chance, and then their values seldom are.
                and ((relation == "values" and certain) or "values" not in relations)
            ]
            if alike:
                findings.append(_of_look_alikes(inspection, samples, alike, relation, words, certain))
    return findings


def _of_look_alikes(
    inspection: Inspection,
    samples: Sequence[Sample],
    alike: Sequence[LookAlike],
    relation: Relation,
    words: _Words,
    certain: bool,
) -> Finding:
    difference = max(entry.difference for entry in alike)
    turned = sum(entry.turned for entry in alike)
    what = "differ no more than one picture saved twice" if certain else "are suspiciously alike"
    mirrored = f", {turned} turned or mirrored" if turned else ""
    figures = f"(by at most {difference:.2g} of 255 levels on average{mirrored})"
    return _report(
        inspection,
        f"{'resaved' if certain else 'look-alikes'}-{relation}",
        # What a person has to look at first is no error yet.
        words.severity if certain and relation != "values" else "warning",
        f"{what} {figures} and {words.what if relation != 'values' else 'have two values'}",
        words.fix
        if certain
        else f"Look at them. If they show one specimen: {words.fix[:1].lower()}{words.fix[1:]}",
        [(samples[entry.first], samples[entry.second]) for entry in alike],
    )


def _report(
    inspection: Inspection, code: str, severity: Severity, what: str, fix: str, pairs: Sequence[_Pair]
) -> Finding:
    concerned = [sample for pair in pairs for sample in pair]
    return finding(
        code,
        severity,
        f"{count(len(pairs), 'pair')} of samples {what}",
        fix,
        at=place_of(concerned, inspection.dataset.root),
        pairs=[(first.id, second.id) for first, second in pairs],
        details=[
            f"{_described(first, inspection)} = {_described(second, inspection)}" for first, second in pairs
        ],
    )


def _described(sample: Sample, inspection: Inspection) -> str:
    where = f", {sample.split}" if sample.split else ""
    row = f", row {sample.views[0].row}" if sample.views[0].row else ""
    return f"{sample.id} ({shown(sample.value)} {inspection.unit}{where}{row})"


def _relations(inspection: Inspection, one: Sample, other: Sample, tolerance: float) -> list[Relation]:
    """Return in what two copies differ that does harm; ``tolerance``: in the label's unit."""
    relations: list[Relation] = []
    if one.split != other.split:
        relations.append("splits")
    elif one.group != other.group and _is_split_later(inspection, one):
        relations.append("groups")
    if abs(one.value - other.value) > tolerance:
        relations.append("values")
    return relations


def _is_split_later(inspection: Inspection, sample: Sample) -> bool:
    """Whether training will split the samples among which this one is: all, or for validation."""
    return sample.split is None or (sample.split == "train" and "val" not in inspection.dataset.counts())


def _view_hashes(samples: Sequence[Sample]) -> npt.NDArray[np.str_]:
    """Return a hash of file and region per view, ``[N, V]``."""
    single = [replace(sample, views=(view,)) for sample in samples for view in sample.views]
    return np.asarray(sample_hashes(single), np.str_).reshape(
        len(samples), len(samples[0].views) if samples else 1
    )


class _Wanted:
    """Which pairs matter: those that differ in split, group or value."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        keys = [(sample.split, sample.group, sample.value) for sample in samples]
        numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
        self._kind = np.asarray([numbers[key] for key in keys], np.intp)

    def mask(self, chosen: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
        """Return a mask ``[B, N]`` for indices ``[B]``."""
        different: npt.NDArray[np.bool_] = self._kind[chosen, np.newaxis] != self._kind
        return different
