"""The columns of the labels file that a `Dataset` does not carry: which there are, and covariates."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path

from analyte.contract.dataset import View


@dataclass(frozen=True, slots=True)
class LabelsTable:
    """The cells of the labels file as text; empty for a folder of sub-folders."""

    columns: frozenset[str] = frozenset()
    """Columns of which at least one cell is filled."""
    _cells: dict[int, dict[str, str]] = field(default_factory=dict)

    def cell(self, view: View, column: str) -> str:
        """Return what stands in a column of a view's row; nothing where there is no such column."""
        return self._cells.get(view.row, {}).get(column, "")


def read_labels_table(dataset: Path) -> LabelsTable:
    """Read the cells of a dataset that `load_dataset` has accepted, from the same path."""
    file = dataset if dataset.is_file() else dataset / "labels.csv"
    if not file.is_file():
        return LabelsTable()
    reader = csv.reader(io.StringIO(file.read_text("utf-8-sig"), newline=""))
    header: list[str] = []
    cells: dict[int, dict[str, str]] = {}
    line = 1
    for record in reader:
        if any(cell.strip() for cell in record):
            if header:
                cells[line] = dict(zip(header, (cell.strip() for cell in record), strict=False))
            else:
                header = [name.strip() for name in record]
        line = reader.line_num + 1
    filled = {name for row in cells.values() for name, cell in row.items() if cell and name}
    return LabelsTable(frozenset(filled), cells)
