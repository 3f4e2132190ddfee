"""Aligned text tables for people; programs use ``--json``."""

from __future__ import annotations

from collections.abc import Sequence

from analyte.export.bundle_writer import ExportedArtifact
from analyte.export.evaluation import Evaluation
from analyte.runtime.tables import format_table


def export_table(artifacts: Sequence[ExportedArtifact], unit: str) -> str:
    """Return one row per artifact: size, error, deviation from Keras and verdict."""
    rows = [
        (
            a.format.name,
            f"{a.size_bytes / 1024:.1f}",
            f"{a.verdict.deviation.mae:.4g}",
            f"{a.verdict.deviation.mae_keras:.4g}",
            f"{a.verdict.deviation.mean:.2g}",
            f"{a.verdict.deviation.p99:.2g}",
            f"{a.verdict.deviation.max:.2g}",
            f"{a.verdict.deviation.tolerance:.2g}",
            "FAILED" if a.verdict.problems else "ok",
        )
        for a in artifacts
    ]
    header = (
        "artifact", "KiB", f"MAE, {unit}", "MAE Keras",
        "mean dev.", "p99 dev.", "max dev.", "tolerance", "parity",
    )  # fmt: skip
    return format_table(header, rows, right=frozenset(range(1, 8)))


def evaluation_table(evaluation: Evaluation) -> str:
    """Return one row per predictor with its errors in the label's unit, and the verdict."""
    rows = [
        (
            row.name,
            str(row.metrics.n),
            f"{row.metrics.mae:.4f}",
            f"{row.metrics.rmse:.4f}",
            _or_dash(row.metrics.r2, ".4f"),
            f"{row.metrics.max_error:.3f}",
            _or_dash(row.metrics.rounded_accuracy, ".3f"),
            _or_dash(row.coverage, ".3f"),
            _or_dash(row.foreign, ".3f"),
            _or_dash(row.refused, ".3f"),
        )
        for row in evaluation.results
    ]
    header = (
        "name", "n", "MAE", "RMSE", "R2", "max error", "rounded accuracy", "coverage", "foreign", "refused",
    )  # fmt: skip
    title = f"{evaluation.dataset}, {evaluation.split} split, errors in {evaluation.unit}"
    table = format_table(header, rows, right=frozenset(range(1, 10)))
    return f"{title}\n{table}\n{evaluation.verdict.sentence}"


def _or_dash(value: float | None, spec: str) -> str:
    return "-" if value is None else format(value, spec)
