"""The bundle's card: one page that a person can read and file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from analyte.contract.interval import IntervalCalibration
from analyte.contract.manifest import Artifact
from analyte.contract.numbers import coverage_percent
from analyte.contract.run import RunRecord
from analyte.contract.verdict import CURVE_NAME


def card_text(name: str, record: RunRecord, artifacts: Sequence[Artifact], report: Path | None) -> str:
    """Return the card as Markdown; every figure is in the label's unit and from the validation split.

    ``report``: the run's report in the bundle, where there is one.
    """
    unit, label = record.label.unit, record.label
    rows = "\n".join(
        f"| {a.name} | {a.precision} | {a.size_bytes / 1024:.1f} | {a.parity.mae:.4g} | {a.parity.mean:.2g} "
        f"| {a.parity.p99:.2g} | {a.parity.max:.2g} | {a.parity.tolerance:.2g} |"
        for a in artifacts
    )
    return f"""# {name}

Reads **{label.analyte}** in **{unit}** from {label.low:g} to {label.high:g}, from {len(record.views)} view(s)
({", ".join(record.views)}). A value outside that range is flagged or refused.{_beside(record)}

- Network: recipe `{record.recipe}`, {record.parameters} parameters, {record.preprocessing.size} px.
- Data: `{record.dataset.name}` ({record.dataset.licence or "no licence stated"}), samples by split:
  {", ".join(f"{k} {v}" for k, v in record.dataset.counts.items())}; sha256 `{record.dataset.sha256[:16]}`.
- Validation split: {_verdict(record)}
- Interval: typically value ± {record.median_half_width:.3g} {unit}, calibrated to contain
  {_interval(record.interval)}
{_foreign(record)}{_filed(report)}

| artifact | precision | KiB | MAE, {unit} | mean deviation from Keras | p99 | max | tolerance |
| --- | --- | --- | --- | --- | --- | --- | --- |
{rows}
{_kept_float(artifacts)}{_degraded(artifacts, unit)}"""


def _kept_float(artifacts: Sequence[Artifact]) -> str:
    return "".join(
        f"\n{artifact.name} computes in float in {len(artifact.kept_float)} layers: "
        f"{', '.join(artifact.kept_float)}.\n"
        for artifact in artifacts
        if artifact.kept_float
    )


def _degraded(artifacts: Sequence[Artifact], unit: str) -> str:
    missed = [artifact for artifact in artifacts if artifact.degraded]
    return "".join(
        f"\n**{artifact.name} misses its tolerance** and was let pass: "
        f"{'; '.join(artifact.degraded)} {unit}.\n"
        for artifact in missed
    )


def _verdict(record: RunRecord) -> str:
    if record.verdict:
        return record.verdict
    network, curve, unit = *(record.validation_mae[name] for name in ("keras", "baseline")), record.label.unit
    return (
        f"MAE: network {network:.4g} {unit}, {CURVE_NAME} {curve:.4g} {unit}; which is better was not tested."
    )


def _filed(report: Path | None) -> str:
    return "" if report is None else f"\n- All figures, for the files: `{report.name}`."


def _beside(record: RunRecord) -> str:
    if not record.covariates.names:
        return ""
    numbers = [
        f"{entry.name} ({entry.range[0]:g} to {entry.range[1]:g})" for entry in record.covariates.numeric
    ]
    choices = [f"{entry.name} ({len(entry.categories)} known)" for entry in record.covariates.categorical]
    return f"\nA reading also needs {', '.join((*numbers, *choices))}; what training did not see is refused."


def _interval(interval: IntervalCalibration) -> str:
    share = f"{coverage_percent(interval.coverage)} of true values"
    if interval.groups is None:
        return f"{share}, on {interval.n} samples that the fit left out."
    return (
        f"{share} of new groups (sessions), on {interval.n} samples of {interval.groups} groups left out.\n"
        f"  Whatever the errors of a new group are like, {coverage_percent(interval.guaranteed)} hold."
    )


def _foreign(record: RunRecord) -> str:
    if record.foreign is None:
        return "- Foreign pictures are not told apart by their features."
    return (
        "- Foreign pictures are refused by their features; so are about "
        f"{100 * record.foreign.refused:g} % of the good ones."
    )
