"""One picture of a whole dataset: samples sorted by value, and what their values and colours are."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from analyte.contract.arrays import UInt8Array
from analyte.contract.pictures import load_pictures
from analyte.contract.preprocessing import PreprocessingSpec
from analyte.train.inspection.finding import shown
from analyte.train.inspection.inspection import Inspection
from analyte.train.inspection.statistics import split_of
from analyte.train.inspection.values import levels_of

_MOST_ROWS = 12
_MOST_COLUMNS = 12
_QUANTILES = 10
_CELL_PX = 96
"""Edge of a sample's picture; views stand beside each other and share it."""
_GAP_PX = 4
_COLOURS = ("#c0392b", "#2e8b57", "#2463a6")
"""R, G and B of pictures."""
_MEAN = "mean R, G, B (0 to 255)"
_SPLIT_COLOURS = {"train": "#0b6e99", "val": "#e0a030", "test": "#8e44ad", "unassigned": "#7f8c8d"}


@dataclass(frozen=True, slots=True)
class _Sheet:
    """Which sample (by index) stands in each cell; None where there is none."""

    rows: list[str]
    columns: list[str]
    cells: list[list[int | None]]
    what: str


def draw_overview(inspection: Inspection) -> bytes:
    """Return a PNG: a contact sheet, the values by split, and mean colours by value and by session.

    Raises: DatasetError when a picture cannot be read.
    """
    sheet = _sheet(inspection)
    views = inspection.dataset.spec.views
    sessions = inspection.sessions()
    picture = _contact_sheet(inspection, sheet)
    heights = [min(9.0, max(1.0, 12.5 * picture.shape[0] / picture.shape[1])) + 0.5, 2.8]
    if sessions is not None:
        heights.append(3.0)
    figure = Figure(figsize=(13, sum(heights) + 0.4), layout="constrained")
    FigureCanvasAgg(figure)
    parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    _draw_sheet(parts[0].subplots(), picture, sheet, inspection)
    panels = parts[1].subplots(1, 1 + len(views), squeeze=False)[0]
    _draw_values(panels[0], inspection)
    for position, view in enumerate(views):
        _draw_colour_by_value(panels[1 + position], inspection, position, view)
    if sessions is not None:
        panels = parts[2].subplots(1, len(views), squeeze=False)[0]
        for position, view in enumerate(views):
            _draw_colour_by_session(panels[position], inspection, position, view, sessions)
    spec = inspection.dataset.spec
    figure.suptitle(f"{spec.name}: {spec.analyte}, {len(inspection.samples)} samples", fontsize=12)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=110, format="png")
    return buffer.getvalue()


def _sheet(inspection: Inspection) -> _Sheet:
    """Choose samples: a row per session where they are few, else a few rows per split; a column per value."""
    samples = inspection.samples
    levels = levels_of(inspection.values)
    if levels is not None and len(levels) <= _MOST_COLUMNS:
        centres = levels
        column = np.searchsorted(levels, inspection.values)
    else:
        # As many samples in each column: values may crowd at one end of the range.
        edges = np.unique(np.quantile(inspection.values, np.linspace(0, 1, _QUANTILES + 1)))
        tenth = np.searchsorted(edges[1:-1], inspection.values, side="right")
        # Of few samples, none lies between some of the quantiles.
        filled, column = np.unique(tenth, return_inverse=True)
        centres = [float(np.median(inspection.values[column == index])) for index in range(len(filled))]
    sessions = inspection.sessions()
    by_session = sessions is not None and len(sessions) <= _MOST_ROWS
    keys = [sample.session if by_session else split_of(sample) for sample in samples]
    # Splits in the order in which they are used, sessions by name.
    kinds = sorted(set(keys)) if by_session else [name for name in _SPLIT_COLOURS if name in keys]
    repeats = 1 if by_session else max(1, min(4, _MOST_ROWS // (2 * len(kinds))))
    order = np.random.default_rng(0).permutation(len(samples))
    rows: list[str] = []
    cells: list[list[int | None]] = []
    for kind in kinds:
        members: list[list[int]] = [[] for _ in centres]
        for index in order:
            if keys[index] == kind:
                members[column[index]].append(int(index))
        for repeat in range(repeats):
            rows.append(kind if repeat == 0 else "")
            cells.append([found[repeat] if repeat < len(found) else None for found in members])
    return _Sheet(rows, [shown(centre) for centre in centres], cells, "session" if by_session else "split")


def _contact_sheet(inspection: Inspection, sheet: _Sheet) -> UInt8Array:
    """Return the samples of a sheet in rows and columns, uint8 ``[H, W, 3]``, RGB."""
    views = len(inspection.dataset.spec.views)
    edge = max(24, _CELL_PX // (1 if views == 1 else 2))
    chosen = [index for row in sheet.cells for index in row if index is not None]
    pictures = load_pictures(
        [inspection.samples[index] for index in chosen],
        PreprocessingSpec(size=min(edge, 4 * _shortest(inspection, chosen))),
        where=inspection.dataset.root,
    )
    size = pictures.shape[2]
    high, wide = size + _GAP_PX, views * size + _GAP_PX
    canvas = np.full((high * len(sheet.rows), wide * len(sheet.columns), 3), 255, np.uint8)
    drawn = iter(pictures)
    for y, row in enumerate(sheet.cells):
        for x, index in enumerate(row):
            if index is not None:
                side_by_side = np.concatenate(list(next(drawn)), axis=1)
                canvas[y * high : y * high + size, x * wide : x * wide + views * size] = side_by_side
    return canvas


def _shortest(inspection: Inspection, chosen: Sequence[int]) -> int:
    """Return the shortest side of the regions, pixels: preprocessing enlarges up to four times."""
    return int(inspection.survey.region_px[list(chosen)].min())


def _draw_sheet(axes: Axes, picture: UInt8Array, sheet: _Sheet, inspection: Inspection) -> None:
    axes.imshow(picture, interpolation="nearest", aspect="equal")
    high, wide = picture.shape[0] / len(sheet.rows), picture.shape[1] / len(sheet.columns)
    axes.set_xticks([(x + 0.5) * wide for x in range(len(sheet.columns))], sheet.columns, fontsize=8)
    axes.set_yticks([(y + 0.5) * high for y in range(len(sheet.rows))], sheet.rows, fontsize=8)
    axes.set_xlabel(f"value, {inspection.unit}")
    views = inspection.dataset.spec.views
    beside = f"; each sample: {' | '.join(views)}" if len(views) > 1 else ""
    axes.set_title(f"samples by value and {sheet.what}{beside}", fontsize=10)
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)


def _draw_values(axes: Axes, inspection: Inspection) -> None:
    levels = levels_of(inspection.values)
    if levels is not None and len(levels) > 1:
        half = min(np.diff(levels)) / 2
        edges = np.unique([edge for level in levels for edge in (level - half, level + half)])
    else:
        edges = np.linspace(*inspection.dataset.spec.range, 21)
    splits = [split_of(sample) for sample in inspection.samples]
    names = [name for name in _SPLIT_COLOURS if name in splits]
    parts = [
        [s.value for s, split in zip(inspection.samples, splits, strict=True) if split == name]
        for name in names
    ]
    axes.hist(
        parts,
        edges.tolist(),
        stacked=True,
        color=[_SPLIT_COLOURS[name] for name in names],
        label=[f"{name} ({len(part)})" for name, part in zip(names, parts, strict=True)],
    )
    axes.set_title("values", fontsize=10)
    axes.set_xlabel(f"value, {inspection.unit}")
    axes.set_ylabel("samples")
    axes.legend(fontsize=8)


def _draw_colour_by_value(axes: Axes, inspection: Inspection, position: int, view: str) -> None:
    levels = levels_of(inspection.values)
    apart = 0.2 * min(np.diff(levels)) if levels is not None and len(levels) > 1 else 0.0
    for channel, colour in enumerate(_COLOURS):
        axes.scatter(
            inspection.values + apart * (channel - 1),
            inspection.survey.mean_rgb[:, position, channel],
            s=6,
            alpha=0.4,
            color=colour,
            edgecolors="none",
        )
    axes.set_title(f"view {view}: colour by value", fontsize=10)
    axes.set_xlabel(f"value, {inspection.unit}")
    axes.set_ylabel(_MEAN)


def _draw_colour_by_session(
    axes: Axes, inspection: Inspection, position: int, view: str, sessions: dict[str, np.ndarray]
) -> None:
    colours = inspection.survey.mean_rgb[:, position]
    for channel, colour in enumerate(_COLOURS):
        parts = [colours[indices, channel] for indices in sessions.values()]
        middle = [float(np.median(part)) for part in parts]
        spread = [[m - part.min() for m, part in zip(middle, parts, strict=True)],
                  [part.max() - m for m, part in zip(middle, parts, strict=True)]]  # fmt: skip
        places = np.arange(len(parts)) + 0.2 * (channel - 1)
        axes.errorbar(places, middle, yerr=spread, fmt="o", markersize=4, linewidth=1, color=colour)
    axes.set_title(f"view {view}: colour by session (median and extremes)", fontsize=10)
    axes.set_ylabel(_MEAN)
    step = max(1, len(sessions) // 20)
    axes.set_xticks(
        range(0, len(sessions), step), list(sessions)[::step], rotation=60, fontsize=7, ha="right"
    )
