"""One thing that is wrong, or worth knowing, about a dataset."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from analyte.contract.dataset import Sample

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""Worst first. Error: training refuses the data, or an error measured on them means nothing."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found, where, and what to do about it."""

    code: str
    """Stable name of the kind of finding, for programs."""
    severity: Severity
    what: str
    """One sentence with the figures and the threshold behind it."""
    fix: str
    """What a person can do."""
    samples: tuple[str, ...] = ()
    """Ids of the samples concerned, all of them."""
    rows: tuple[int, ...] = ()
    """Their lines in the labels file, counted from 1 with the header as line 1; empty without such a file."""
    files: tuple[str, ...] = ()
    """Their pictures, relative to the dataset's folder."""
    pairs: tuple[tuple[str, str], ...] = ()
    """Ids of samples that belong together, where the finding is about two of them."""
    details: tuple[str, ...] = ()
    """What is concerned where that is no sample: sessions, groups, levels, with their figures."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where samples are found: what a `Finding` says of them."""

    samples: tuple[str, ...]
    rows: tuple[int, ...]
    files: tuple[str, ...]


def place_of(samples: Iterable[Sample], root: Path) -> Place:
    """Return ids, rows and files of samples, each once, in the order given."""
    chosen = list({sample.id: sample for sample in samples}.values())
    views = [view for sample in chosen for view in sample.views]
    return Place(
        samples=tuple(sample.id for sample in chosen),
        rows=tuple(dict.fromkeys(view.row for view in views if view.row)),
        files=tuple(dict.fromkeys(relative(view.path, root) for view in views)),
    )


def relative(path: Path, root: Path) -> str:
    """Return ``path`` as it stands in the labels where it lies below the dataset, else as it is."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def listed(names: Iterable[object], most: int = 5, *, joint: str = ", ") -> str:
    """Return names joined by ``joint``, at most so many, and how many more there are."""
    every = [str(name) for name in names]
    more = len(every) - most
    return joint.join([*every[:most], *([f"and {more} more"] if more > 0 else [])])


def shown(value: float) -> str:
    """Return a value with up to six digits that count, without an exponent where that is readable."""
    if value == 0 or not 1e-4 <= abs(value) < 1e9:
        return f"{value:g}"
    return np.format_float_positional(value, precision=6, fractional=False, trim="-", unique=False)


def count(number: int, singular: str, plural: str | None = None) -> str:
    """Return a number with its noun: ``1 sample``, ``2 samples``."""
    return f"{number} {singular if number == 1 else plural or singular + 's'}"
