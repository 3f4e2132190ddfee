"""Pictures of a training, drawn without a display."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from analyte.contract.arrays import Float64Array
from analyte.contract.label import LabelSpec


def plot_predicted(
    true: Float64Array, predicted: Mapping[str, Float64Array], label: LabelSpec, title: str, path: Path
) -> None:
    """Draw predicted against true values, ``[N]`` in the label's unit, one panel per name, as a PNG."""
    figure = Figure(figsize=(5.2 * len(predicted), 5), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(predicted), squeeze=False, sharex=True, sharey=True)[0]
    for axes, (name, values) in zip(panels, predicted.items(), strict=True):
        error = float(abs(values - true).mean())
        axes.plot(label.range, label.range, color="0.6", linewidth=1)
        axes.scatter(true, values, s=10, alpha=0.5, color="#0b6e99", edgecolors="none")
        axes.set_title(f"{name}: MAE {error:.3g} {label.unit}, n = {len(true)}", fontsize=10)
        axes.set_xlabel(f"true, {label.unit}")
    panels[0].set_ylabel(f"predicted, {label.unit}")
    figure.suptitle(title, fontsize=11)
    figure.savefig(path, dpi=110)
