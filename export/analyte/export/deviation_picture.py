"""The heat map of parity: how far each artifact lies from Keras at each level."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from analyte.contract.arrays import Float64Array
from analyte.contract.label import LabelSpec
from analyte.export.parity import CaseDeviations
from analyte.runtime.picture import new_figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

IntArray = npt.NDArray[np.intp]
MOST_LEVELS = 16
"""Data of more different values are drawn in bins."""
BINS = 10
_LEAST, _MOST = 1e-2, 1e2
"""Ends of the colours, deviation over tolerance: the limit, 1, lies in their middle."""


def levels_of(true: Float64Array, label: LabelSpec) -> tuple[list[str], list[IntArray]]:
    """Return the columns of the map, ``[L]``: their names and the golden images that each is made of.

    A level is one true value, or a tenth of the range where there are many; empty ones are left out.
    """
    distinct = np.unique(true)
    if len(distinct) <= MOST_LEVELS:
        return [f"{value:g}" for value in distinct], [np.flatnonzero(true == value) for value in distinct]
    edges = np.linspace(min(label.low, true.min()), max(label.high, true.max()), BINS + 1)
    place = np.clip(np.searchsorted(edges, true, side="right") - 1, 0, BINS - 1)
    used = [index for index in range(BINS) if np.any(place == index)]
    names = [f"{edges[index]:.3g} to {edges[index + 1]:.3g}" for index in used]
    return names, [np.flatnonzero(place == index) for index in used]


def deviation_by_level(by_image: Sequence[CaseDeviations], members: Sequence[IntArray]) -> Float64Array:
    """Return the largest |artifact - Keras|, ``[cases, levels]``, label's unit; NaN where none was run."""
    found = np.full((len(by_image), len(members)), np.nan)
    for row, case in enumerate(by_image):
        for column, index in enumerate(members):
            values = case.deviation[index]
            if not np.all(np.isnan(values)):
                found[row, column] = np.nanmax(values)
    return found


def draw_deviations(by_image: Sequence[CaseDeviations], true: Float64Array, label: LabelSpec) -> Figure:
    """Draw one row per case and one column per level; ``true``: ``[N]``, label's unit.

    Colours are the deviation over the case's own tolerance, on a logarithmic scale: the tolerance of float32
    is a thousandth of that of int8. Numbers are in the label's unit.
    """
    from matplotlib.colors import LogNorm

    names, members = levels_of(true, label)
    worst = deviation_by_level(by_image, members)
    tolerance = np.array([case.tolerance for case in by_image])[:, np.newaxis]
    share = np.clip(worst / tolerance, _LEAST, _MOST)
    figure = new_figure(3.2 + 0.8 * len(names), 1.8 + 0.36 * len(by_image))
    axes = figure.subplots()
    image = axes.imshow(share, norm=LogNorm(_LEAST, _MOST), cmap="RdYlGn_r", aspect="auto")
    for (row, column), value in np.ndenumerate(worst):
        text = "" if np.isnan(value) else f"{value:.2g}"
        axes.text(column, row, text, ha="center", va="center", fontsize=7)
    axes.set_xticks(range(len(names)), names, rotation=45 if len(names) > 8 else 0, fontsize=8)
    axes.set_yticks(range(len(by_image)), [case.name for case in by_image], fontsize=8)
    axes.set_xlabel(f"true {label.analyte}, {label.unit}")
    axes.set_title(f"Largest deviation from Keras over the golden set, {label.unit}", fontsize=10)
    figure.colorbar(image, ax=axes, label="deviation / tolerance")
    return figure
