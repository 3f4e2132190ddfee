"""Latency, error and size of every case in one picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analyte.runtime.picture import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from analyte.runtime.benchmark import Benchmark, Measured

_COLOURS = {"onnx": "#0b6e99", "litert": "#c2571a"}
_LARGEST = 1600.0
"""Area of the largest file's disc, square points; areas are in proportion to sizes."""


def draw_benchmark(benchmark: Benchmark) -> Figure:
    """Draw the error over the median latency; discs have areas in proportion to the size of the file.

    A case whose error is not finite is named in the title and not drawn.
    """
    shown = [(row, row.mae) for row in benchmark.results if row.mae is not None]
    figure = new_figure(8.5, 5.2)
    axes = figure.subplots()
    largest = max((row.bytes for row, _ in shown), default=1)
    for row, mae in shown:
        colour = _COLOURS.get(row.engine, "0.4")
        axes.scatter(
            [row.p50_us],
            [mae],
            s=_LARGEST * row.bytes / largest,
            color=colour,
            alpha=0.45,
            edgecolors=colour,
        )
        axes.annotate(
            _words(row),
            (row.p50_us, mae),
            fontsize=8,
            ha="center",
            va="center",
            annotation_clip=False,
        )
    axes.axhline(benchmark.mae_keras, color="0.5", linewidth=1, linestyle="--")
    axes.annotate(
        "Keras",
        (1.0, benchmark.mae_keras),
        xycoords=("axes fraction", "data"),
        fontsize=8,
        ha="right",
        va="bottom",
    )
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("{x:.4g}")
    axes.margins(0.2)
    rows = benchmark.results
    axes.set_xlabel(f"median latency of {rows[0].batch} sample(s) on {rows[0].threads} thread(s), µs")
    axes.set_ylabel(f"MAE over {benchmark.n} golden pictures, {benchmark.unit}")
    left_out = [f"{row.artifact} on {row.provider}" for row in rows if row.mae is None]
    title = f"{benchmark.machine['cpu']}\nArea: size of the file, largest {largest / 1e3:.0f} kB"
    if left_out:
        title += f"\nNot finite: {', '.join(left_out)}"
    axes.set_title(title, fontsize=10)
    return figure


def _words(row: Measured) -> str:
    failed = "" if row.passed else "\nFAILED"
    return f"{row.artifact}\n{row.provider}, {row.bytes / 1e3:.3g} kB{failed}"
