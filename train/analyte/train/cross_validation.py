"""Cross-validation by group or session: an error for every sample from a network that never saw its group."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.model_selection import GroupShuffleSplit
from tqdm import tqdm

from analyte.contract.arrays import Float64Array
from analyte.contract.calibration_curve import fit_baseline
from analyte.contract.metrics import regression_metrics
from analyte.contract.run import FoldRecord
from analyte.contract.splits import VAL_FRACTION
from analyte.train.folds import BY_SESSION, split_folds, without_groups_of
from analyte.train.parts import Part

Predicted = dict[str, Float64Array]
"""``value``, ``sigma`` (label's unit, ``[N]``) and ``features`` (``[N, F]``)."""


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """Predictions for every sample by a network that was trained without its fold; ``[N]``, label's unit."""

    true: Float64Array
    value: Float64Array
    sigma: Float64Array
    baseline: Float64Array
    fold: np.ndarray
    """Number of the fold, from 0."""
    sessions: tuple[str, ...]
    new_by: tuple[str, ...]
    """What made each sample new to the network that predicted it, see `analyte.contract.splits.new_by`."""
    records: tuple[FoldRecord, ...]


def hold_back(part: Part, folds: int | str, seed: int) -> tuple[Part, Part]:
    """Split what a fold trains on into training and validation, as a training without folds is split.

    ``part`` holds two sessions or groups or more.
    """
    keys = _keys(part, folds)
    splitter = GroupShuffleSplit(1, test_size=VAL_FRACTION, random_state=seed)
    inside, outside = next(splitter.split(np.arange(len(part.samples)), groups=keys))
    kept = without_groups_of(np.asarray(part.groups, np.str_), inside, outside)
    return part.take(kept if len(kept) else inside), part.take(outside)


def _keys(part: Part, folds: int | str) -> list[str]:
    return part.sessions if folds == BY_SESSION else part.groups


def cross_validate(
    part: Part, folds: int | str, fit_and_predict: Callable[[Part, Part, int], Predicted]
) -> OutOfFold:
    """Hold each fold out once.

    ``fit_and_predict``: from the samples to train on, those to predict and the number of the fold. It must
    not choose anything by the second: that is what makes the errors honest.
    """
    size = len(part.samples)
    arrays = {name: np.zeros(size) for name in ("value", "sigma", "baseline", "fold")}
    records: list[FoldRecord] = []
    parts = split_folds(part.groups, part.sessions, folds)
    whole = _whole_sessions(part, parts)
    for number, (inside, outside) in enumerate(tqdm(parts, desc="folds", file=sys.stderr, disable=None)):
        train, held_out = part.take(inside), part.take(outside)
        predicted = fit_and_predict(train, held_out, number)
        curve = fit_baseline(train.data.images, train.data.values, train.groups)
        arrays["value"][outside], arrays["sigma"][outside] = predicted["value"], predicted["sigma"]
        arrays["baseline"][outside] = curve.predict(held_out.data.images)
        arrays["fold"][outside] = number
        records.append(
            FoldRecord(
                sessions=tuple(sorted(set(held_out.sessions))),
                n=len(outside),
                mae=regression_metrics(held_out.data.values, predicted["value"]).mae,
                mae_baseline=regression_metrics(held_out.data.values, arrays["baseline"][outside]).mae,
            )
        )
    return OutOfFold(
        true=part.data.values,
        value=arrays["value"],
        sigma=arrays["sigma"],
        baseline=arrays["baseline"],
        fold=arrays["fold"].astype(int),
        sessions=tuple(part.sessions),
        new_by=tuple(part.sessions if whole else part.groups),
        records=tuple(records),
    )


def _whole_sessions(part: Part, parts: list[tuple[np.ndarray, np.ndarray]]) -> bool:
    """Say whether each session was new to the network that predicted it."""
    sessions = np.asarray(part.sessions, np.str_)
    return not any(np.isin(sessions[inside], sessions[outside]).any() for inside, outside in parts)


def write_folds(part: Part, found: OutOfFold, path: Path) -> None:
    """Write one line per sample as CSV: id, fold, session, true value and predictions, label's unit."""
    names = ("sample", "fold", "session", "true", "value", "sigma", "baseline")
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        numbers = (found.true, found.value, found.sigma, found.baseline)
        # Python's own floats: how numpy writes its own depends on print options, which imports change.
        columns = (found.fold.tolist(), found.sessions, *(column.tolist() for column in numbers))
        for sample, *rest in zip(part.samples, *columns, strict=True):
            writer.writerow([sample.id, *rest])


def fold_seed(settings_seed: int, number: int) -> int:
    """Return the seed of a fold: another for each, the same in every repetition."""
    return settings_seed + 1000 * (number + 1)
