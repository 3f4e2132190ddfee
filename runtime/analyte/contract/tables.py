"""Aligned text tables for terminals."""

from __future__ import annotations

from collections.abc import Sequence


def format_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, right: frozenset[int] = frozenset()
) -> str:
    """Return lines of columns two spaces apart; ``right``: columns that are aligned to the right.

    Control characters, which a file name may hold, are replaced: they could rewrite the terminal.
    """
    cells = [[printable(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = (
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    )
    return "\n".join(lines)


def printable(text: str) -> str:
    """Return ``text`` with every character that is not printable replaced by ``?``."""
    return "".join(c if c.isprintable() else "?" for c in text)
