"""Aligned text tables for terminals."""

from __future__ import annotations

from collections.abc import Sequence

from analyte.runtime.selftest import SelfTestResult


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


def deviation_table(results: Sequence[SelfTestResult], unit: str) -> str:
    """Return one row per artifact and batch size: how far it lies from Keras, in the label's unit."""

    def shown(number: float | None) -> str:
        return "not finite" if number is None else f"{number:.3g}"

    header = ("artifact", "engine", "provider", "batch", "n", "mean", "p99", "max", "sigma", "tolerance", "")
    rows = [
        (
            result.artifact,
            result.engine,
            result.provider,
            str(result.batch),
            str(result.n),
            shown(result.mean_deviation),
            shown(result.p99_deviation),
            shown(result.max_deviation),
            "not finite" if result.sigma_ratio is None else f"x {result.sigma_ratio:.3f}",
            shown(result.tolerance),
            "passed" if result.passed else "FAILED",
        )
        for result in results
    ]
    return f"{format_table(header, rows, right=frozenset(range(3, 10)))}\nDeviations from Keras in {unit}."
