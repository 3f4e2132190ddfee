"""Figures as inline SVG that takes its colours and font from the page."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import matplotlib
from markupsafe import Markup
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

INK, FAINT, GRID = "#16191d", "#7b838c", "#d9dde1"
NETWORK, CURVE, THIRD = "#0072b2", "#d55e00", "#009e73"
"""Blue, vermilion and green of Okabe and Ito, "Color Universal Design", 2008: told apart by everyone. Marks
differ in shape too."""
_THEME = {
    INK: "var(--ink)", FAINT: "var(--faint)", GRID: "var(--grid)",
    NETWORK: "var(--network)", CURVE: "var(--curve)", THIRD: "var(--third)",
}  # fmt: skip
"""The page's own colour for each drawn one, so that figures follow light, dark and print."""
_PIXELS_PER_INCH = 160
"""Resolution of what is drawn as a picture inside the SVG."""
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "analyte",
    # Names and units come from users: a dollar sign is no formula.
    "text.parse_math": False,
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": False,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.labelcolor": INK,
}


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure for the page. ``svg`` is safe markup; ``alt`` says in words what it shows."""

    svg: Markup
    alt: str


@contextlib.contextmanager
def sheet(width: float, height: float) -> Iterator[Figure]:
    """Give an empty figure, width and height in inches; draw and call `to_svg` inside the block."""
    with matplotlib.rc_context(_SETTINGS), warnings.catch_warnings():
        # The page's font draws what matplotlib's own lacks.
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from")
        figure = Figure(figsize=(width, height), dpi=_PIXELS_PER_INCH, layout="constrained")
        figure.patch.set_visible(False)
        FigureCanvasSVG(figure)
        yield figure


def to_svg(figure: Figure, name: str) -> Markup:
    """Return the figure as one ``<svg>`` element; ``name`` keeps its ids apart from other figures'."""
    for axes in figure.axes:
        axes.patch.set_visible(False)
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(buffer, format="svg", metadata=nothing)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    # Its style sheet would reach the whole page; the page's own says the same of figures only.
    text = re.sub(r"<(metadata|style)\b.*?</\1>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r' xmlns(:xlink)?="[^"]*"', "", text, count=2)
    # The page sizes it by its viewBox.
    text = re.sub(r'^<svg ([^>]*?)width="[^"]*" ', r"<svg \1", text)
    text = re.sub(r'^<svg ([^>]*?)height="[^"]*" ', r"<svg \1", text)
    text = re.sub(r"(\bid=\"|href=\"#|url\(#)", rf"\g<1>{name}-", text)
    text = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", text)
    for drawn, themed in _THEME.items():
        text = text.replace(drawn, themed)
    return Markup(text.strip())  # matplotlib escapes the texts in it
