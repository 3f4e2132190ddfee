"""The figures of a report, worked out and put into words and tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analyte.contract.arrays import Float64Array
from analyte.contract.figures_of_merit import Figure, figures_of_merit
from analyte.contract.foreign import ForeignCalibration
from analyte.contract.label import LabelSpec
from analyte.contract.metrics import (
    MaeComparison,
    compare_group_mae,
    metrics_by,
    regression_metrics,
)
from analyte.contract.numbers import fixed, number, percent
from analyte.contract.run import FoldRecord
from analyte.contract.verdict import CURVE_NAME, Verdict, compare_with_curve, comparison_sentence
from analyte.train.report.contents import Readings, SplitSummary
from analyte.train.report.rotation import RotationCurve

MOST_ROWS = 30
"""Rows of a table, and sessions of a figure: beyond that a report shows the worst."""
MOST_LEVELS = 20
"""Different true values beyond which ranges of values are shown instead."""
_RANGES = 10
"""How many of those there are at most, but for one at the end."""
_LISTED = 6
"""Names that a cell of a table holds at most."""
NETWORK_NAME = "network"


@dataclass(frozen=True, slots=True)
class Table:
    """A table as a report shows it. The first cell of each row is its heading."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    words: frozenset[int] = frozenset({0})
    """Indices of the columns that hold words; the others hold numbers."""


def verdict(readings: Readings, unit: str) -> Verdict:
    """Compare network and calibration curve by group."""
    return compare_with_curve(readings.true, readings.predicted, readings.baseline, readings.groups, unit)


def verdict_detail(comparison: MaeComparison, unit: str) -> str:
    """Say what the difference of the verdict is, and what its confidence rests on."""
    text = (
        f"Difference: MAE of the network minus MAE of the {CURVE_NAME} (ridge regression on mean colours), "
        f"{unit}; negative where the network is better."
    )
    if comparison.lower is None:
        return text
    return (
        f"{text} Confidence interval by bootstrap over the {comparison.groups} groups of these samples; it "
        "says nothing of cameras, lamps or days that are not among them."
    )


def fold_sentence(folds: Sequence[FoldRecord], unit: str) -> str:
    """Say what the cross-validation found; nothing where there was none."""
    if not folds:
        return ""
    counts = [fold.n for fold in folds]
    network, curve = [fold.mae for fold in folds], [fold.mae_baseline for fold in folds]
    comparison = compare_group_mae(network, curve, counts)
    mean, curve_mean = (float(np.average(values, weights=counts)) for values in (network, curve))
    return (
        f"Cross-validation, {len(folds)} folds held out in turn ({sum(counts)} samples): "
        f"{comparison_sentence(comparison, mean, curve_mean, unit, 'fold')}"
    )


def fold_table(folds: Sequence[FoldRecord], unit: str) -> Table | None:
    """Return errors by fold of the cross-validation; None where there was none."""
    if not folds:
        return None
    like = max(max(fold.mae, fold.mae_baseline) for fold in folds)
    rows = tuple(
        (str(at), str(fold.n), fixed(fold.mae, like), fixed(fold.mae_baseline, like), _listed(fold.sessions))
        for at, fold in enumerate(folds, start=1)
    )
    columns = ("fold", "n", "MAE", f"MAE, {CURVE_NAME}", "sessions held out")
    return Table(f"Errors by fold of the cross-validation, {unit}", columns, rows, words=frozenset({0, 4}))


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")


def within(readings: Readings) -> np.ndarray:
    """Return whether each true value lies in its interval, bool ``[N]``."""
    return (readings.lower <= readings.true) & (readings.true <= readings.upper)


def data_table(summaries: Sequence[SplitSummary], unit: str) -> Table:
    """Return what each split holds."""
    rows = tuple(
        (s.name, *map(str, (s.samples, s.groups, s.sessions, s.levels)), number(s.lowest), number(s.highest))
        for s in summaries
    )
    columns = (
        "split", "samples", "groups", "sessions", "different values", f"lowest, {unit}", f"highest, {unit}",
    )  # fmt: skip
    return Table("Samples by split", columns, rows)


def overall_table(readings: Readings, unit: str) -> Table:
    """Return every error measure of network and curve."""
    found = [regression_metrics(readings.true, values) for values in (readings.predicted, readings.baseline)]

    def row(name: str, *values: float | None) -> tuple[str, ...]:
        return (name, *("-" if value is None else number(value) for value in values))

    def share(name: str, *values: float | None) -> tuple[str, ...]:
        return (name, *("-" if value is None else percent(value) for value in values))

    rows = [
        row(f"mean absolute error (MAE), {unit}", *(m.mae for m in found)),
        row(f"root mean squared error (RMSE), {unit}", *(m.rmse for m in found)),
        row(f"bias (mean of predicted minus true), {unit}", *(m.bias for m in found)),
        row(f"largest absolute error, {unit}", *(m.max_error for m in found)),
        row("R2 about the mean of the true values", *(m.r2 for m in found)),
        share(
            "mean absolute percentage error (MAPE)",
            *(None if m.mape is None else m.mape / 100 for m in found),
        ),
        share("rounds to the true value", *(m.rounded_accuracy for m in found)),
        ("true value within the interval", percent(float(within(readings).mean())), "-"),
    ]
    columns = ("measure", NETWORK_NAME, CURVE_NAME)
    return Table(f"Errors of {found[0].n} readings", columns, tuple(rows))


def level_names(true: Float64Array) -> tuple[list[str], list[str]]:
    """Return the level of each value ``[N]``, and the levels in rising order.

    Ranges of equal, round width stand in for the levels where there are more than `MOST_LEVELS` different
    values.
    """
    levels = np.unique(true)
    if len(levels) <= MOST_LEVELS:
        return [f"{value:.12g}" for value in true], [f"{value:.12g}" for value in levels]
    width = _round_width(float(levels[-1] - levels[0]) / _RANGES)
    # Values on an edge belong to the range above; rounding of the division must not move them.
    index = np.floor(np.round(true / width, 9)).astype(int)
    names = {i: f"{i * width:.6g} to {(i + 1) * width:.6g}" for i in np.unique(index).tolist()}
    return [names[i] for i in index.tolist()], list(names.values())


def _round_width(least: float) -> float:
    """Return the smallest of 1, 2, 5, 10, ... times a power of ten that is not below ``least``."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))


def level_table(readings: Readings, unit: str) -> Table:
    """Return errors by true value."""
    keys, order = level_names(readings.true)
    return _errors_table("level", f"Errors by level, {unit}", readings, keys, order)


def session_table(readings: Readings, unit: str) -> Table:
    """Return errors by session."""
    return _errors_table(
        "session", f"Errors by session, {unit}", readings, readings.sessions, sorted(set(readings.sessions))
    )


def _errors_table(
    heading: str, caption: str, readings: Readings, keys: Sequence[str], order: Sequence[str]
) -> Table:
    network = metrics_by(readings.true, readings.predicted, keys)
    curve = metrics_by(readings.true, readings.baseline, keys)
    covered = _shares(readings, keys)
    shown, note = worst_rows(order, {key: network[key].mae for key in order}, f"{heading}s by MAE")
    like = regression_metrics(readings.true, readings.predicted).mae

    def row(key: str) -> tuple[str, ...]:
        found = network[key]
        errors = (found.mae, curve[key].mae, found.bias, found.rmse, found.max_error)
        return (key, str(found.n), *(fixed(error, like) for error in errors), percent(covered[key]))

    columns = (
        heading, "n", "MAE", f"MAE, {CURVE_NAME}", "bias", "RMSE", "largest", "in interval",
    )  # fmt: skip
    return Table(caption, columns, tuple(map(row, shown)), note)


def worst_rows(order: Sequence[str], badness: dict[str, float], what: str) -> tuple[list[str], str]:
    """Return the `MOST_ROWS` keys that are worst, in their order, and a note when some were left out."""
    if len(order) <= MOST_ROWS:
        return list(order), ""
    kept = set(sorted(order, key=lambda key: -badness[key])[:MOST_ROWS])
    return [key for key in order if key in kept], f"The {MOST_ROWS} worst of {len(order)} {what}."


def coverage_table(readings: Readings) -> Table | None:
    """Return coverage by group; None where groups are sessions, whose table has it already."""
    if readings.groups == readings.sessions:
        return None
    covered = _shares(readings, readings.groups)
    counts = {key: readings.groups.count(key) for key in covered}
    order, note = worst_rows(
        sorted(covered), {key: 1 - share for key, share in covered.items()}, "groups by coverage"
    )
    rows = tuple((key, str(counts[key]), percent(covered[key])) for key in order)
    return Table("Coverage by group", ("group", "n", "in interval"), rows, note)


def coverage_sentence(readings: Readings, unit: str) -> str:
    """Say how many true values lie in their intervals, and how wide these are."""
    inside = within(readings)
    shares = np.array(list(_shares(readings, readings.groups).values()))
    half = (readings.upper - readings.lower) / 2
    return (
        f"{int(inside.sum())} of {inside.size} true values lie in their interval: "
        f"{percent(float(inside.mean()))}. "
        f"By group ({shares.size}): lowest {percent(float(shares.min()))}, median "
        f"{percent(float(np.median(shares)))}. Half-width: median {number(float(np.median(half)))}, "
        f"largest {number(float(half.max()))} {unit}."
    )


def _shares(readings: Readings, keys: Sequence[str]) -> dict[str, float]:
    inside, names = within(readings), np.asarray(keys, np.str_)
    return {key: float(inside[names == key].mean()) for key in dict.fromkeys(keys)}


def foreign_sentence(distances: Float64Array, calibration: ForeignCalibration) -> str:
    """Say beyond which distance a picture is refused, what that was calibrated to, and what it does here.

    ``distances``: ``[N]``, standard deviations, as `Readings.distances`.
    """
    beyond, n = int(np.sum(distances > calibration.limit)), len(distances)
    groups = f"{calibration.groups} independent group{'s' * (calibration.groups != 1)}"
    return (
        "A device refuses a picture as foreign when its features lie farther than "
        f"{number(calibration.limit)} standard deviations from those of the training pictures. This limit "
        f"was calibrated to refuse {percent(calibration.refused)} of the good pictures of new groups, on "
        f"{groups} that the distance was fitted without, and has headroom for integer artifacts. Of the "
        f"readings shown it refuses {beyond} of {n}: {percent(beyond / n)}. Their distance: median "
        f"{number(float(np.median(distances)))}, largest {number(float(distances.max()))}."
    )


def foreign_table(distances: Float64Array, limit: float, sessions: Sequence[str]) -> Table:
    """Return distances from the training pictures by session, standard deviations."""
    names = np.asarray(sessions, np.str_)
    own = {name: distances[names == name] for name in sorted(set(sessions))}
    shown, note = worst_rows(
        list(own), {name: float(np.median(found)) for name, found in own.items()}, "sessions by distance"
    )
    rows = tuple(
        (
            name,
            str(own[name].size),
            number(float(np.median(own[name]))),
            number(float(own[name].max())),
            percent(float(np.mean(own[name] > limit))),
        )
        for name in shown
    )
    columns = ("session", "n", "median", "largest", "refused")
    return Table("Distance from the training pictures by session, standard deviations", columns, rows, note)


def merit_table(readings: Readings, unit: str) -> Table:
    """Return the figures of merit of network and curve with their formulas."""
    network, curve = (
        figures_of_merit(readings.true, values, readings.sessions)
        for values in (readings.predicted, readings.baseline)
    )
    rows = (
        ("slope S of predicted on true", "slope", "least squares"),
        (f"intercept, {unit}", "intercept", "least squares"),
        ("linearity R2", "r2", "squared correlation"),
        (f"residual standard deviation s, {unit}", "residual_sd", "about the line, n - 2"),
        (f"detection limit (LOD), {unit}", "lod", "3.3 s / S"),
        (f"quantitation limit (LOQ), {unit}", "loq", "10 s / S"),
        (f"bias of the line at the LOD, {unit}", "lod_bias", "intercept + (S - 1) LOD"),
        (f"repeatability (standard deviation), {unit}", "repeatability", "within level and session"),
        (f"between sessions (standard deviation), {unit}", "between_sessions", "analysis of variance"),
        (f"intermediate precision, {unit}", "intermediate_precision", "root of the sum of both squares"),
        (f"bias, {unit}", "bias", "mean of predicted minus true"),
        (f"lower 95 % limit of agreement, {unit}", "agreement_lower", "bias - 1.96 s of differences"),
        (f"upper 95 % limit of agreement, {unit}", "agreement_upper", "bias + 1.96 s of differences"),
    )
    notes = [f"{network.n} readings at {network.levels} levels."]
    for name, found in ((NETWORK_NAME, network), (CURVE_NAME, curve)):
        notes += [
            note if note.startswith("Levels") else f"{name.capitalize()}: {note}" for note in found.notes
        ]
    return Table(
        "Figures of merit after ICH Q2(R2)",
        ("figure", NETWORK_NAME, CURVE_NAME, "formula"),
        tuple(
            (text, _shown(getattr(network, key)), _shown(getattr(curve, key)), how) for text, key, how in rows
        ),
        " ".join(dict.fromkeys(notes)),
        words=frozenset({0, 3}),
    )


def _shown(figure: Figure) -> str:
    return f"none: {figure.reason}" if figure.value is None else number(figure.value)


def rotation_table(curves: Sequence[RotationCurve], label: LabelSpec) -> Table:
    """Return how far each turned picture's value strays."""
    rows = tuple(
        (
            curve.sample_id,
            number(curve.true),
            number(float(curve.values[0])),
            number(float(curve.values.std())),
            percent(float(curve.values.std()) / label.span, 3),
            number(float(np.abs(curve.deviation).max())),
            number(float(np.abs(curve.quarter_turns).max())),
        )
        for curve in curves
    )
    columns = (
        "sample", "true", "as taken", "standard deviation", "of the range", "largest deviation",
        "at quarter turns",
    )  # fmt: skip
    return Table(f"Value over the full circle, {label.unit}", columns, rows)
