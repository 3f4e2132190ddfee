"""Which columns the labels file has: a `Dataset` does not tell a cell that was filled from a default."""

from __future__ import annotations

import csv
import io
from pathlib import Path


def filled_columns(dataset: Path) -> frozenset[str]:
    """Return the columns with at least one filled cell, of a dataset that `load_dataset` has accepted.

    ``dataset``: the same path. Empty for a folder of sub-folders.
    """
    file = dataset if dataset.is_file() else dataset / "labels.csv"
    if not file.is_file():
        return frozenset()
    records = csv.reader(io.StringIO(file.read_text("utf-8-sig"), newline=""))
    rows = [cells for cells in records if any(cell.strip() for cell in cells)]
    header = [name.strip() for name in rows[0]]
    return frozenset(
        name for cells in rows[1:] for name, cell in zip(header, cells, strict=False) if name and cell.strip()
    )
