"""Aligned text tables for people; programs use ``--json``."""

from __future__ import annotations

from collections.abc import Sequence

from analyte.export.bundle_writer import ExportedArtifact
from analyte.export.evaluation import Evaluation, Result
from analyte.export.sensitivity import LayerLoss
from analyte.runtime.tables import format_table


def export_table(artifacts: Sequence[ExportedArtifact], unit: str) -> str:
    """Return one row per artifact: size, error, deviation from Keras, what it took, and verdict."""
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
            a.rung or "-",
            "FAILED" if a.problems else "ok",
        )
        for a in artifacts
    ]
    header = (
        "artifact", "KiB", f"MAE, {unit}", "MAE Keras",
        "mean dev.", "p99 dev.", "max dev.", "tolerance", "by", "parity",
    )  # fmt: skip
    return format_table(header, rows, right=frozenset(range(1, 8)))


def worst_table(artifact: ExportedArtifact, unit: str) -> str:
    """Return the validation pictures that an artifact reads least like Keras."""
    rows = [
        (str(w.index), f"{w.true:.4g}", f"{w.keras:.5g}", f"{w.artifact:.5g}", f"{w.artifact - w.keras:+.2g}")
        for w in artifact.verdict.worst
    ]
    header = ("validation picture", f"true, {unit}", "Keras", artifact.format.name, "deviation")
    return format_table(header, rows, right=frozenset(range(5)))


def loss_table(losses: Sequence[LayerLoss], unit: str) -> str:
    """Return one row per layer, with the deviation that its integers alone cause."""
    rows = [
        (loss.layer, f"{loss.mean_deviation:.2g}", f"{loss.p99_deviation:.2g}", f"{loss.max_deviation:.2g}")
        for loss in losses
    ]
    header = ("layer in int8 alone", f"mean dev., {unit}", "p99 dev.", "max dev.")
    return format_table(header, rows, right=frozenset({1, 2, 3}))


def evaluation_table(evaluation: Evaluation) -> str:
    """Return one row per predictor with its errors in the label's unit, and the verdict.

    Coverage by group is left out where every sample is a group of its own.
    """
    grouped = any(row.group_coverage is not None for row in evaluation.results)
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
            *([_or_dash(_by_group(row), ".3f")] if grouped else []),
            _or_dash(row.foreign, ".3f"),
            _or_dash(row.refused, ".3f"),
        )
        for row in evaluation.results
    ]
    header = (
        "name", "n", "MAE", "RMSE", "R2", "max error", "rounded accuracy", "coverage",
        *(["by group"] if grouped else []), "foreign", "refused",
    )  # fmt: skip
    title = f"{evaluation.dataset}, {evaluation.split} split, errors in {evaluation.unit}"
    table = format_table(header, rows, right=frozenset(range(1, len(header))))
    return f"{title}\n{table}\n{evaluation.verdict.sentence}"


def _by_group(row: Result) -> float | None:
    return None if row.group_coverage is None else row.group_coverage.mean


def _or_dash(value: float | None, spec: str) -> str:
    return "-" if value is None else format(value, spec)
