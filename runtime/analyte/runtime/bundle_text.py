"""A bundle in words, for people at a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from analyte.contract.bundle import Bundle
from analyte.contract.manifest import Manifest
from analyte.contract.numbers import coverage_percent
from analyte.runtime.tables import format_table, printable

_NUMBERS = frozenset(range(3, 8))


def describe_bundle(bundle: Bundle) -> str:
    """Return what a bundle measures, with what, and where it comes from; several lines."""
    manifest = bundle.manifest
    lines = [(name, printable(text)) for name, text in _facts(bundle)]
    width = max(len(name) for name, _ in lines)
    facts = "\n".join(f"{name.ljust(width)}  {text}" for name, text in lines)
    return f"{facts}\n\n{_artifacts(manifest)}"


def _facts(bundle: Bundle) -> Iterator[tuple[str, str]]:
    manifest = bundle.manifest
    label, interval, origin = manifest.label, manifest.interval, manifest.provenance
    yield "bundle", f"{manifest.name}, {bundle.id}"
    yield "reads", f"{label.analyte} in {label.unit}, {label.low:g} to {label.high:g}"
    yield (
        "views",
        f"{', '.join(manifest.views)}; {'colour' if manifest.colour else 'colour or grey'} pictures",
    )
    yield "covariates", _covariates(manifest)
    size = manifest.preprocessing.size
    turned = "may be turned" if manifest.rotation_invariant else "must not be turned"
    yield "pictures", f"{size} x {size} px for the network; {turned}"
    groups = "" if interval.groups is None else f" of {interval.groups} groups"
    share = coverage_percent(interval.coverage)
    yield "interval", f"contains {share} of true values, on {interval.n} samples{groups} left out of the fit"
    yield "refuses", _refuses(manifest)
    seed = "" if origin.seed is None else f", seed {origin.seed}"
    yield "recipe", f"{origin.recipe}{seed}, {origin.parameters} parameters"
    data = origin.dataset
    counts = ", ".join(f"{split} {n}" for split, n in data.counts.items()) or "no samples counted"
    yield "data", f"{data.name}, {counts}; {data.licence or 'no licence stated'}; sha256 {data.sha256[:16]}"
    yield "made", f"{origin.created_at}, analyte {origin.versions.get('analyte', 'of unknown version')}"
    signature = bundle.signature
    signed = "unsigned" if signature is None else f"by {signature.key.fingerprint}, not checked here"
    yield "signature", signed


def _covariates(manifest: Manifest) -> str:
    spec = manifest.covariates
    numbers = [f"{entry.name} ({entry.range[0]:g} to {entry.range[1]:g})" for entry in spec.numeric]
    choices = [f"{entry.name} ({', '.join(entry.categories)})" for entry in spec.categorical]
    return ", ".join((*numbers, *choices)) or "none"


def _refuses(manifest: Manifest) -> str:
    unit, limit = manifest.label.unit, manifest.disagreement_limit
    parts = [f"values beyond the range by more than their interval in {unit}"]
    if limit is not None:
        parts.append(f"disagreement with the calibration curve beyond {limit:.3g} {unit}")
    if manifest.foreign is not None:
        parts.append(f"foreign pictures, and with them {100 * manifest.foreign.refused:g} % of good ones")
    return "; ".join(parts)


def _artifacts(manifest: Manifest) -> str:
    """Return a table; the deviations are those of the exporting machine, in the label's unit."""
    header = ("artifact", "engine", "precision", "KiB", "MAE", "mean", "p99", "max", "gate")
    rows = [
        (
            artifact.name,
            artifact.engine,
            artifact.precision,
            f"{artifact.size_bytes / 1024:.1f}",
            *(f"{n:.3g}" for n in (artifact.parity.mae, artifact.parity.mean, artifact.parity.p99)),
            f"{artifact.parity.max:.3g}",
            "MISSED" if artifact.degraded else "passed",
        )
        for artifact in manifest.artifacts
    ]
    unit = printable(manifest.label.unit)
    table = format_table(header, rows, right=_NUMBERS)
    return (
        f"{table}\nMAE on the validation split; deviations from Keras (mean, p99, max) at export; in {unit}."
    )
