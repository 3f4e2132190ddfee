"""Assigning samples to train, val and test so that no group stands on two sides."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from analyte.contract.dataset import Dataset, Sample, Split
from analyte.contract.errors import DatasetError

VAL_FRACTION = 0.15
TEST_FRACTION = 0.2

SplitBy = Literal["group", "session"]
"""What goes to one side as a whole: specimens, or the days on which they were photographed."""
SPLIT_BY: tuple[SplitBy, ...] = get_args(SplitBy)


def assign_splits(dataset: Dataset, *, seed: int, by: SplitBy = "group") -> Dataset:
    """Complete the splits of a dataset, by group or by session.

    Where a ``split`` column marks test rows they stay test rows; validation groups are taken from training
    where none are marked. Where there is no split column at all, groups go to test, val and train at random
    (by ``seed``), about 20, 15 and 65 percent of the samples.
    Raises: DatasetError when there are too few groups, or a group stands on two sides.
    """
    marked = [s for s in dataset.samples if s.split is not None]
    if marked and len(marked) != len(dataset.samples):
        raise DatasetError(
            "some rows have a split and some have none",
            where=dataset.root,
            got=dataset.counts(),
            fix="Fill the split column for every row, or for none",
        )
    splits: dict[str, Split] = {s.id: s.split for s in marked if s.split is not None}
    if not marked:
        splits = dict.fromkeys((s.id for s in dataset.samples), "train")
        _move(dataset.samples, splits, "test", TEST_FRACTION, seed, dataset, by)
    if "train" not in splits.values():
        raise DatasetError("no training samples", where=dataset.root, got=dataset.counts())
    if "val" not in splits.values():
        candidates = tuple(s for s in dataset.samples if splits[s.id] == "train")
        _move(candidates, splits, "val", VAL_FRACTION, seed + 1, dataset, by)
    result = dataset.with_splits(splits)
    _refuse_shared_groups(result)
    return result


def _move(
    samples: tuple[Sample, ...],
    splits: dict[str, Split],
    target: Split,
    fraction: float,
    seed: int,
    dataset: Dataset,
    by: SplitBy,
) -> None:
    """Give whole groups (or sessions), in random order, to ``target`` until it holds ``fraction``.

    Where every group is too large for that, the smallest one goes.
    """
    groups: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[sample.session if by == "session" else sample.group].append(sample)
    if len(groups) < 2:
        raise DatasetError(
            f"cannot set a {target} split aside: there is one {by} only",
            where=dataset.root,
            expected=f"at least 2 {by}s to choose from (3 where no split is given)",
            got=f"{by} {next(iter(groups))!r}" if groups else "no sample",
            fix=f"Add a {by} column that names the specimen or session of each picture, or a split column",
        )
    names = sorted(groups)
    order = [names[index] for index in np.random.default_rng(seed).permutation(len(names))]
    wanted = max(1, round(fraction * len(samples)))
    # Validation and training come after test, training after validation: each needs a group of its own.
    needed = 2 if target == "test" else 1
    taken = 0
    chosen: list[str] = []
    for group in order:
        # A group is taken when that brings the share nearer to what is wanted than leaving it.
        if abs(taken + len(groups[group]) - wanted) > abs(taken - wanted):
            continue
        chosen.append(group)
        taken += len(groups[group])
        if taken >= wanted or len(chosen) == len(groups) - needed:
            break
    for group in chosen or [min(order, key=lambda name: len(groups[name]))]:
        for sample in groups[group]:
            splits[sample.id] = target


def _refuse_shared_groups(dataset: Dataset) -> None:
    sides: dict[str, set[str]] = defaultdict(set)
    for sample in dataset.samples:
        sides[sample.group].add(sample.split or "")
    shared = sorted(group for group, found in sides.items() if len(found) > 1)
    if shared:
        first = " and ".join(sorted(sides[shared[0]]))
        raise DatasetError(
            f"{len(shared)} groups stand in two splits, so errors would flatter the model",
            where=dataset.root,
            got=f"{', '.join(shared[:5])} ({shared[0]} in {first})",
            fix="Put every group into one split",
        )


def new_by(train: Sequence[Sample], held_out: Sequence[Sample]) -> list[str]:
    """Return what makes each held-out sample new: its session, or its group where sessions also train.

    Errors of one session are alike, so what is said of errors counts whole ones; but only sessions that
    trained nothing say anything of a session to come.
    """
    if {sample.session for sample in train} & {sample.session for sample in held_out}:
        return [sample.group for sample in held_out]
    return [sample.session for sample in held_out]
