"""Aligned text tables for terminals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from analyte.runtime.selftest import SelfTestResult

if TYPE_CHECKING:
    from analyte.runtime.benchmark import Benchmark


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
    """Return one row per result: how far an artifact lies from Keras, in the label's unit."""

    def shown(number: float | None) -> str:
        return "not finite" if number is None else f"{number:.3g}"

    header = (
        "artifact", "engine", "provider", "threads", "batch", "n",
        "mean", "p99", "max", "sigma", "tolerance", "",
    )  # fmt: skip
    rows = [
        (
            result.artifact,
            result.engine,
            result.provider,
            str(result.threads),
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
    return f"{format_table(header, rows, right=frozenset(range(3, 11)))}\nDeviations from Keras in {unit}."


def benchmark_table(benchmark: Benchmark) -> str:
    """Return one row per artifact and provider, and what it was measured on."""

    def shown(number: float | None, form: str = ".4g") -> str:
        return "not finite" if number is None else format(number, form)

    unit = benchmark.unit
    header = (
        "artifact", "engine", "provider", "threads", "bytes", "load, ms", "p50, us", "p99, us", "samples/s",
        "RSS, MB", f"MAE, {unit}", "p99 dev.", "max dev.", "parity",
    )  # fmt: skip
    rows = [
        (
            row.artifact,
            row.engine,
            row.provider,
            str(row.threads),
            str(row.bytes),
            f"{row.load_ms:.1f}",
            f"{row.p50_us:.0f}",
            f"{row.p99_us:.0f}",
            f"{row.throughput:.0f}",
            "-" if row.rss_mb is None else f"{row.rss_mb:.1f}",
            shown(row.mae),
            shown(row.p99_deviation, ".2g"),
            shown(row.max_deviation, ".2g"),
            "ok" if row.passed else "FAILED",
        )
        for row in benchmark.results
    ]
    machine = benchmark.machine
    photographs = [
        f"{row.artifact} on {row.provider}: MAE {shown(row.mae_photographs)} {unit} over {row.photographs} "
        f"photographed samples, {row.refused_photographs} refused."
        for row in benchmark.results
        if row.photographs is not None
    ]
    return "\n".join(
        (
            format_table(header, rows, right=frozenset(range(3, 13))),
            *photographs,
            f"MAE against the labels of {benchmark.n} golden pictures (Keras: {benchmark.mae_keras:.4g} "
            f"{unit}); deviations from Keras in {unit}.",
            f"{printable(str(machine['cpu']))}, {machine['usable_cores']} of {machine['cores']} cores; batch "
            f"{benchmark.results[0].batch}; {benchmark.rounds} rounds in turns, each artifact in a process "
            "of its own.",
        )
    )
