"""A comparison of two bundles, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from analyte.runtime.comparison import Compared, Comparison, Side, manifest_differences, summary
from analyte.runtime.tables import format_table, printable

_WORST = 10
"""How many samples are shown of each kind."""


def describe_comparison(a: Side, b: Side, found: Comparison) -> str:
    """Return several paragraphs; every figure is in the label's unit."""
    unit = printable(a.bundle.manifest.label.unit)
    parts = [_sides(a, b), _manifests(a, b), _figures(found, unit), _refusals(found), _worst(found, unit)]
    return "\n\n".join(part for part in parts if part)


def comparison_json(a: Side, b: Side, found: Comparison) -> dict[str, Any]:
    """Return the comparison for `json.dumps`; values and differences in the label's unit."""
    error_a, error_b = found.errors()
    fresh = len(error_a)
    mae = {"n": fresh, "a": float(np.mean(error_a)), "b": float(np.mean(error_b))} if fresh else None
    return {
        "a": _side_json(a),
        "b": _side_json(b),
        "unit": a.bundle.manifest.label.unit,
        "manifest": [
            {"name": name, "a": one, "b": other}
            for name, one, other in manifest_differences(a.bundle.manifest, b.bundle.manifest)
        ],
        "n": len(found.rows),
        "measured": len(found.differences()),
        "difference": summary(found.differences()),
        "mae": mae,
        "refused": {
            "a_only": _ids(found.refused(a=True, b=False)),
            "b_only": _ids(found.refused(a=False, b=True)),
            "both": _ids(found.refused(a=True, b=True)),
        },
        "apart": _ids(found.apart()),
        "samples": [_row_json(row) for row in found.rows],
    }


def _side_json(side: Side) -> dict[str, str]:
    info = side.engine.info
    return {
        "path": str(side.bundle.path),
        "bundle": side.bundle.id,
        "artifact": side.artifact.name,
        "engine": info.engine,
        "provider": info.provider,
    }


def _row_json(row: Compared) -> dict[str, Any]:
    return {
        "id": row.sample.id,
        "label": row.sample.value,
        "a": row.a.value,
        "b": row.b.value,
        "difference": row.difference,
        "a_reason": row.a.reason,
        "b_reason": row.b.reason,
        "apart": row.apart,
        "seen": not row.fresh,
    }


def _ids(rows: Sequence[Compared]) -> list[str]:
    return [row.sample.id for row in rows]


def _sides(a: Side, b: Side) -> str:
    return "\n".join(
        f"{letter}  {printable(str(side.bundle.path))}, {side.bundle.id[:16]}, artifact {side.artifact.name} "
        f"on {side.engine.info.library}, provider {side.engine.info.provider}"
        for letter, side in (("A", a), ("B", b))
    )


def _manifests(a: Side, b: Side) -> str:
    rows = manifest_differences(a.bundle.manifest, b.bundle.manifest)
    if not rows:
        return "The manifests state the same."
    return format_table(("manifest", "A", "B"), rows)


def _figures(found: Comparison, unit: str) -> str:
    lines = [f"{len(found.differences())} of {len(found.rows)} samples measured by both."]
    figures = summary(found.differences())
    if figures is not None:
        lines.append(
            f"B - A: bias {figures['bias']:+.4g} {unit}; absolute: mean {figures['mean']:.4g}, "
            f"p99 {figures['p99']:.4g}, max {figures['max']:.4g} {unit}."
        )
    error_a, error_b = found.errors()
    if len(error_a):
        lines.append(
            f"MAE on {len(error_a)} samples that neither was trained on: A {np.mean(error_a):.4g} {unit}, "
            f"B {np.mean(error_b):.4g} {unit}."
        )
    elif figures is None:
        lines.append("No difference and no MAE: no sample was measured by both.")
    else:
        lines.append("No MAE: at least one was trained on every sample that both measured.")
    apart = found.apart()
    lines.append(f"Intervals that do not overlap: {len(apart)}{_named(apart)}.")
    return "\n".join(lines)


def _refusals(found: Comparison) -> str:
    kinds = (
        ("by A only", found.refused(a=True, b=False)),
        ("by B only", found.refused(a=False, b=True)),
        ("by both", found.refused(a=True, b=True)),
    )
    return "\n".join(f"Refused {kind}: {len(rows)}{_named(rows)}." for kind, rows in kinds)


def _named(rows: Sequence[Compared]) -> str:
    if not rows:
        return ""
    more = f" and {len(rows) - _WORST} more" if len(rows) > _WORST else ""
    return ": " + printable(", ".join(_with_reasons(row) for row in rows[:_WORST])) + more


def _with_reasons(row: Compared) -> str:
    reasons = sorted({str(reading.reason) for reading in (row.a, row.b) if reading.reason is not None})
    return f"{row.sample.id} ({', '.join(reasons)})" if reasons else row.sample.id


def _worst(found: Comparison, unit: str) -> str:
    rows = [
        (row.sample.id, f"{row.sample.value:.6g}", f"{row.a.value:.6g}", f"{row.b.value:.6g}", f"{d:+.4g}")
        for row in found.worst(_WORST)
        if (d := row.difference) is not None
    ]
    header = ("largest differences", "label", "A", "B", f"B - A, {unit}")
    return format_table(header, rows, right=frozenset(range(1, 5))) if rows else ""
