"""Pictures that commands draw when asked to: matplotlib is no part of a device's installation."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from analyte.contract.errors import SettingsError, UnavailableError
from analyte.contract.output import check_output
from analyte.contract.output_file import staged_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg")


def check_picture(path: Path, *, overwrite: bool) -> None:
    """Refuse a picture that could not be drawn or written, before any long work is done.

    Raises: SettingsError for another kind of file; UnavailableError without matplotlib; OutputError where
    something is in the way.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise SettingsError("not a kind of picture that is drawn", where=path, expected=" or ".join(SUFFIXES))
    if importlib.util.find_spec("matplotlib") is None:
        raise UnavailableError(
            "a picture needs matplotlib, which is not installed",
            fix="pip install matplotlib, or leave --picture out and draw from --json elsewhere",
        )
    check_output(path, overwrite=overwrite)


def new_figure(width_in: float, height_in: float) -> Figure:
    """Return an empty figure that needs no display; sizes in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_picture(figure: Figure, path: Path) -> None:
    """Write a PNG or SVG, as the suffix says, whole or not at all. Raises: OutputError."""
    with staged_file(path, overwrite=True) as file:
        figure.savefig(file, dpi=110, format=path.suffix.lower()[1:])
