"""The figures of a report. Arrays are ``[N]`` in the label's unit; see `analyte.train.report.contents`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from analyte.contract.arrays import Float64Array
from analyte.contract.figures_of_merit import limits_of_agreement
from analyte.contract.label import LabelSpec
from analyte.contract.metrics import metrics_by, regression_metrics
from analyte.contract.numbers import number
from analyte.contract.verdict import CURVE_NAME
from analyte.train.report.analysis import MOST_LEVELS, NETWORK_NAME, worst_rows
from analyte.train.report.contents import Readings
from analyte.train.report.rotation import ANGLES, RotationCurve
from analyte.train.report.svg import CURVE, FAINT, INK, NETWORK, THIRD, Drawing, sheet, to_svg

_WIDTH = 7.4
"""Inches; the page scales it."""
_MANY = 800
"""Points beyond which they are drawn as a picture, so that the file stays small."""
_LONGEST_NAME = 28
_SPREAD = 0.5
"""Width over which the readings of one level are drawn, fraction of the distance to the next."""
_BARS = 40
"""Bars of a histogram."""
_FARTHEST, _ROOM = 3.0, 1.05
"""Multiples of the limit that a histogram of distances shows at most, and its room on the right."""
_LEAST_REACH = 0.5
"""Percent of the range that the polar plot shows at least: less would blow up rounding."""


def learning_curve(history: Sequence[Mapping[str, float]], best_epoch: int, unit: str) -> Drawing | None:
    """Draw validation error and loss by epoch; None where nothing was recorded."""
    names = [name for name in ("val_mae", "loss") if history and name in history[0]]
    if not names:
        return None
    titles = {"val_mae": f"MAE on the validation split, {unit}", "loss": "training loss"}
    epochs = [row["epoch"] for row in history]
    with sheet(_WIDTH, 2.6) as figure:
        panels = figure.subplots(1, len(names), squeeze=False)[0]
        for axes, name, colour in zip(panels, names, (NETWORK, INK), strict=False):
            values = [row[name] for row in history]
            axes.plot(epochs, values, color=colour, linewidth=1.4)
            axes.axvline(best_epoch, color=FAINT, linewidth=1, linestyle="--")
            axes.set(title=titles[name], xlabel="epoch")
            if min(values) > 0 and max(values) > 20 * min(values):
                axes.set_yscale("log")
        best = next((row for row in history if row["epoch"] == best_epoch), history[-1])
        alt = f"Line charts by epoch, {len(epochs)} epochs. Kept: epoch {best_epoch}, marked"
        if "val_mae" in best:
            alt += f", with a validation MAE of {number(best['val_mae'])} {unit}"
        return Drawing(to_svg(figure, "learning"), f"{alt}.")


def predicted_against_true(readings: Readings, label: LabelSpec) -> Drawing:
    """Draw predicted against true values, network with intervals and curve side by side."""
    many = len(readings.true) > _MANY
    places = spread(readings.true)
    with sheet(_WIDTH, 3.8) as figure:
        left, right = figure.subplots(1, 2, sharex=True, sharey=True)
        for axes in (left, right):
            axes.axline((label.low, label.low), slope=1, color=FAINT, linewidth=1)
            axes.set_xlabel(f"true, {label.unit}")
        left.set_ylabel(f"predicted, {label.unit}")
        left.vlines(
            places, readings.lower, readings.upper, colors=FAINT, alpha=0.35, linewidth=0.8,
            rasterized=many,
        )  # fmt: skip
        parts: list[str] = []
        for axes, (name, values, colour, marker) in zip((left, right), _both(readings), strict=True):
            _points(axes, places, values, colour, marker)
            mae = number(regression_metrics(readings.true, values).mae)
            axes.set_title(f"{name}: MAE {mae} {label.unit}")
            parts.append(f"{name} MAE {mae} {label.unit}")
        alt = (
            f"Scatter plots of predicted against true values beside the line of equality: {'; '.join(parts)}."
        )
        return Drawing(to_svg(figure, "predicted"), alt)


def residuals_against_true(readings: Readings, unit: str) -> Drawing:
    """Draw predicted minus true against true values."""
    places = spread(readings.true)
    with sheet(_WIDTH, 3.0) as figure:
        panels = figure.subplots(1, 2, sharex=True, sharey=True)
        for axes, (name, values, colour, marker) in zip(panels, _both(readings), strict=True):
            axes.axhline(0, color=FAINT, linewidth=1)
            _points(axes, places, values - readings.true, colour, marker)
            axes.set(title=name, xlabel=f"true, {unit}")
        panels[0].set_ylabel(f"predicted - true, {unit}")
        worst = [number(regression_metrics(readings.true, v).max_error) for _, v, _, _ in _both(readings)]
        alt = (
            "Scatter plots of predicted minus true against true values. Largest: "
            f"{NETWORK_NAME} {worst[0]}, {CURVE_NAME} {worst[1]} {unit}."
        )
        return Drawing(to_svg(figure, "residuals"), alt)


def residuals_by_session(readings: Readings, unit: str) -> Drawing:
    """Draw the network's residuals of each session, and the mean of network and curve."""
    by_network = metrics_by(readings.true, readings.predicted, readings.sessions)
    by_curve = metrics_by(readings.true, readings.baseline, readings.sessions)
    names, note = worst_rows(
        sorted(by_network), {name: found.mae for name, found in by_network.items()}, "sessions by MAE"
    )
    place = {name: len(names) - 1 - row for row, name in enumerate(names)}
    index = [i for i, name in enumerate(readings.sessions) if name in place]
    heights = _side_by_side(np.array([place[readings.sessions[i]] for i in index], np.float64), 1.0)
    with sheet(_WIDTH, max(1.6, 0.9 + 0.24 * len(names))) as figure:
        axes = figure.subplots()
        axes.axvline(0, color=FAINT, linewidth=1)
        _points(axes, (readings.predicted - readings.true)[index], heights, NETWORK, "o", alpha=0.35)
        rows = [place[name] for name in names]
        axes.plot(
            [by_network[name].bias for name in names], rows, "|", color=NETWORK, markersize=13,
            markeredgewidth=2.4, label=f"mean, {NETWORK_NAME}",
        )  # fmt: skip
        axes.plot(
            [by_curve[name].bias for name in names], rows, "^", color=CURVE, markersize=5.5,
            label=f"mean, {CURVE_NAME}",
        )  # fmt: skip
        axes.set_yticks(rows, [_short(name) for name in names])
        axes.set(xlabel=f"predicted - true, {unit}", ylim=(-0.6, len(names) - 0.4))
        figure.legend(loc="outside upper right", ncols=2)
        largest = max(names, key=lambda name: abs(by_network[name].bias))
        alt = (
            f"Residuals of the network in {len(names)} sessions with their means. Largest mean: "
            f"{number(by_network[largest].bias)} {unit} in {largest}. {note}"
        ).strip()
        return Drawing(to_svg(figure, "sessions"), alt)


def bland_altman(readings: Readings, unit: str) -> Drawing:
    """Draw differences against means with bias and limits of agreement."""
    with sheet(_WIDTH, 3.2) as figure:
        panels = figure.subplots(1, 2, sharex=True, sharey=True)
        parts: list[str] = []
        for axes, (name, values, colour, marker) in zip(panels, _both(readings), strict=True):
            _points(axes, (values + readings.true) / 2, values - readings.true, colour, marker)
            bias, lower, upper = (x.value for x in limits_of_agreement(readings.true, values))
            for value, style in ((bias, "-"), (lower, "--"), (upper, "--")):
                if value is not None:
                    axes.axhline(value, color=INK, linewidth=1, linestyle=style)
            words = f"bias {number(bias or 0.0)}"
            if lower is not None and upper is not None:
                words += f", limits {number(lower)} to {number(upper)}"
            axes.set(title=f"{name}: {words}", xlabel=f"mean of predicted and true, {unit}")
            axes.title.set_fontsize(8.5)
            parts.append(f"{name} {words} {unit}")
        panels[0].set_ylabel(f"predicted - true, {unit}")
        return Drawing(to_svg(figure, "agreement"), f"Bland-Altman plots: {'; '.join(parts)}.")


def distance_histogram(distances: Float64Array, limit: float) -> Drawing:
    """Draw how far the readings lie from the training pictures, ``[N]`` and limit in standard deviations.

    The last bar holds all that lie beyond it.
    """
    end = _ROOM * max(limit, min(float(distances.max()), _FARTHEST * limit))
    with sheet(_WIDTH, 2.4) as figure:
        axes = figure.subplots()
        axes.hist(np.minimum(distances, end), bins=np.linspace(0.0, end, _BARS + 1).tolist(), color=NETWORK)
        axes.axvline(limit, color=INK, linewidth=1.2, linestyle="--", label="limit")
        axes.set(xlabel="distance from the training pictures, standard deviations", ylabel="readings")
        axes.set_xlim(0.0, end)
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        figure.legend(loc="outside upper right")
        alt = (
            f"Histogram of the distance of {len(distances)} readings from the training pictures: median "
            f"{number(float(np.median(distances)))}, largest {number(float(distances.max()))} standard "
            f"deviations. {int(np.sum(distances > limit))} lie beyond the limit of {number(limit)}."
        )
        return Drawing(to_svg(figure, "distances"), alt)


def rotation_polar(curves: Sequence[RotationCurve], label: LabelSpec) -> Drawing:
    """Draw how far the value strays from that of the picture as taken, percent of the range, by angle."""
    deviations = [100 * curve.deviation / label.span for curve in curves]
    reach = max(_LEAST_REACH, 1.15 * max(float(np.abs(d).max()) for d in deviations))
    angles = np.linspace(0, 2 * np.pi, ANGLES + 1)
    looks = zip((NETWORK, CURVE, THIRD), ("-", "--", "-."), strict=True)
    with sheet(_WIDTH, 4.2) as figure:
        # The automatic layout forgets the angles' labels.
        figure.set_layout_engine("none")
        axes: Any = figure.add_axes((0.04, 0.07, 0.5, 0.86), projection="polar")
        axes.plot(angles, np.zeros(ANGLES + 1), color=INK, linewidth=1)
        for curve, deviation, (colour, style) in zip(curves, deviations, looks, strict=False):
            lines = (f"sample {curve.sample_id}", f"true {number(curve.true)} {label.unit}")
            axes.plot(
                angles, [*deviation, deviation[0]], color=colour, linestyle=style, linewidth=1.6,
                label="\n".join(map(_short, lines)),
            )  # fmt: skip
        ticks = [-reach / 1.15, 0.0, reach / 1.15]
        axes.set(ylim=(-1.6 * reach, reach), yticks=ticks)
        axes.set_yticklabels([f"{tick:+.2g} %" if tick else "0" for tick in ticks], fontsize=8)
        axes.set_rlabel_position(112)
        axes.tick_params(pad=1)
        figure.legend(loc="center left", bbox_to_anchor=(0.6, 0.5))
        largest = max(float(np.abs(d).max()) for d in deviations)
        alt = (
            f"Polar plot of the deviation of the value at {ANGLES} angles for {len(curves)} pictures; a "
            f"circle at 0 is perfect. Largest: {largest:.2g} % of the range."
        )
        return Drawing(to_svg(figure, "rotation"), alt)


def has_levels(true: Float64Array) -> bool:
    """Whether the values stand at a few levels, with several readings each."""
    levels = len(np.unique(true))
    return 1 < levels <= MOST_LEVELS and levels < len(true)


def spread(true: Float64Array) -> Float64Array:
    """Return where to draw values ``[N]``: side by side where many share a level, else as they are."""
    if not has_levels(true):
        return true
    return _side_by_side(true, float(np.diff(np.unique(true)).min()))


def _side_by_side(places: Float64Array, distance: float) -> Float64Array:
    """Spread points that share a place over `_SPREAD` of the distance to the next."""
    _, place = np.unique(places, return_inverse=True)
    # Multiples of the golden ratio, modulo 1, fill a width evenly, whatever their number.
    order = np.argsort(np.argsort(place, kind="stable"))
    return places + _SPREAD * distance * ((order * 0.6180339887) % 1 - 0.5)


def _both(readings: Readings) -> tuple[tuple[str, Float64Array, str, str], ...]:
    """Name, values, colour and marker of network and curve."""
    return (
        (NETWORK_NAME, readings.predicted, NETWORK, "o"),
        (CURVE_NAME, readings.baseline, CURVE, "^"),
    )


def _points(
    axes: Any, x: Float64Array, y: Float64Array, colour: str, marker: str, alpha: float = 0.55
) -> None:
    axes.plot(
        x, y, marker, color=colour, alpha=alpha, markersize=3.4, markeredgewidth=0, rasterized=len(x) > _MANY
    )


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 3]}..."
