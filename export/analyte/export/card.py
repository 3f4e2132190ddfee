"""The bundle's card: one page that a person can read and file."""

from __future__ import annotations

from collections.abc import Sequence

from analyte.contract.manifest import Artifact
from analyte.contract.run import RunRecord


def card_text(name: str, record: RunRecord, artifacts: Sequence[Artifact]) -> str:
    """Return the card as Markdown; every figure is in the label's unit and from the validation split."""
    unit, label = record.label.unit, record.label
    network, curve = record.validation_mae["keras"], record.validation_mae["baseline"]
    verdict = "beats" if network < curve else "does not beat"
    rows = "\n".join(
        f"| {a.name} | {a.precision} | {a.size_bytes / 1024:.1f} | {a.parity.mae:.4g} | {a.parity.mean:.2g} "
        f"| {a.parity.p99:.2g} | {a.parity.max:.2g} | {a.parity.tolerance:.2g} |"
        for a in artifacts
    )
    return f"""# {name}

Reads **{label.analyte}** in **{unit}** from {label.low:g} to {label.high:g}, from {len(record.views)} view(s)
({", ".join(record.views)}). A value outside that range is flagged or refused.

- Network: recipe `{record.recipe}`, {record.parameters} parameters, {record.preprocessing.size} px.
- Data: `{record.dataset.name}` ({record.dataset.licence or "no licence stated"}), samples by split:
  {", ".join(f"{k} {v}" for k, v in record.dataset.counts.items())}; sha256 `{record.dataset.sha256[:16]}`.
- Validation error (MAE): network {network:.4g} {unit}, calibration curve {curve:.4g} {unit}. The network
  {verdict} the calibration curve.
- Interval: typically value ± {record.median_half_width:.3g} {unit}, calibrated to contain
  {100 * record.interval.coverage:g} % of true values on {record.interval.n} validation samples. The same
  samples chose the best epoch, so it is a little too narrow.

| artifact | precision | KiB | MAE, {unit} | mean deviation from Keras | p99 | max | tolerance |
| --- | --- | --- | --- | --- | --- | --- | --- |
{rows}
"""
