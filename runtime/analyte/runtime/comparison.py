"""Two bundles on the same samples: what would change on a device if one took the other's place."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analyte.contract.arrays import Float64Array
from analyte.contract.bundle import Bundle
from analyte.contract.dataset import Dataset, Sample
from analyte.contract.errors import InputError
from analyte.contract.manifest import Artifact, Manifest
from analyte.contract.reading import Reading
from analyte.runtime.engines.protocol import Engine
from analyte.runtime.photographs import check_dataset_fits, measure_photographs, picture_hashes


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: a bundle with one of its artifacts on an opened engine."""

    bundle: Bundle
    artifact: Artifact
    engine: Engine

    def measure(self, sample: Sample, dataset: Dataset) -> Reading:
        """Return what a device would say about a sample."""
        (found,) = measure_photographs(self.bundle, self.artifact, self.engine, dataset, [sample])
        return found.reading


@dataclass(frozen=True, slots=True)
class Compared:
    """One sample, measured by both."""

    sample: Sample
    a: Reading
    b: Reading
    fresh: bool
    """Whether neither of the two was trained on it."""

    @property
    def difference(self) -> float | None:
        """B minus A, label's unit; None where one of them refuses."""
        return None if self.a.value is None or self.b.value is None else self.b.value - self.a.value

    @property
    def apart(self) -> bool:
        """Whether the intervals have no value in common: then at least one of them is wrong."""
        ends = (self.a.lower, self.a.upper, self.b.lower, self.b.upper)
        if any(end is None for end in ends):
            return False
        a_low, a_high, b_low, b_high = (float(end) for end in ends if end is not None)
        return a_low > b_high or b_low > a_high


@dataclass(frozen=True, slots=True)
class Comparison:
    """All samples, in the dataset's order."""

    rows: tuple[Compared, ...]

    def differences(self) -> Float64Array:
        """Return B minus A of the samples that both measured, ``[n]``, label's unit."""
        return np.array([d for row in self.rows if (d := row.difference) is not None], np.float64)

    def errors(self) -> tuple[Float64Array, Float64Array]:
        """Return the absolute errors of A and of B, ``[n]`` each, label's unit.

        Over the samples that both measured and neither was trained on.
        """
        measured = [row for row in self.rows if row.fresh and row.difference is not None]
        true = np.array([row.sample.value for row in measured], np.float64)
        a, b = (
            np.array([side.value for side in sides], np.float64)
            for sides in ([row.a for row in measured], [row.b for row in measured])
        )
        return np.abs(a - true), np.abs(b - true)

    def refused(self, *, a: bool, b: bool) -> list[Compared]:
        """Return the samples of which it is so that A refuses (or not) and B refuses (or not)."""
        return [row for row in self.rows if row.a.refused is a and row.b.refused is b]

    def apart(self) -> list[Compared]:
        """Return the samples whose two intervals have no value in common."""
        return [row for row in self.rows if row.apart]

    def worst(self, count: int) -> list[Compared]:
        """Return the samples with the largest differences, the largest first."""
        measured = [row for row in self.rows if row.difference is not None]
        return sorted(measured, key=lambda row: -abs(row.difference or 0.0))[:count]


def check_comparable(a: Bundle, b: Bundle, dataset: Dataset) -> None:
    """Refuse bundles or a dataset of other units or views, or a dataset without a covariate that one takes.

    Raises: InputError for the bundles, DatasetError for the dataset.
    """
    first, second = _what(a), _what(b)
    if first != second:
        raise InputError("the bundles do not measure the same", where=b.path, expected=first, got=second)
    for bundle in (a, b):
        check_dataset_fits(bundle, dataset)


def _what(bundle: Bundle) -> str:
    manifest = bundle.manifest
    return f"{manifest.label.analyte}, views {', '.join(manifest.views)} in {manifest.label.unit}"


def compare(
    a: Side, b: Side, dataset: Dataset, on_progress: Callable[[int], object] = lambda done: None
) -> Comparison:
    """Measure every sample of a dataset with both, as a device would.

    ``on_progress`` is called with the number of samples just done. Raises: as `check_comparable`.
    """
    check_comparable(a.bundle, b.bundle, dataset)
    seen = {digest for side in (a, b) for digest in side.bundle.manifest.provenance.dataset.seen}
    rows: list[Compared] = []
    for sample, digest in zip(dataset.samples, picture_hashes(dataset.samples), strict=True):
        readings = a.measure(sample, dataset), b.measure(sample, dataset)
        rows.append(Compared(sample, *readings, fresh=digest not in seen))
        on_progress(1)
    return Comparison(tuple(rows))


def manifest_differences(a: Manifest, b: Manifest) -> list[tuple[str, str, str]]:
    """Return what the manifests state differently: name, A's, B's."""
    first, second = _stated(a), _stated(b)
    names = [*first, *(name for name in second if name not in first)]
    absent = "-"
    return [
        (name, first.get(name, absent), second.get(name, absent))
        for name in names
        if first.get(name, absent) != second.get(name, absent)
    ]


def _stated(manifest: Manifest) -> dict[str, str]:
    """Return what a person compares; what is but numbers of a fit is there as a short hash."""
    origin = manifest.provenance
    facts: dict[str, Any] = {
        "name": manifest.name,
        "analyte": manifest.label.analyte,
        "range": f"{manifest.label.low:g} to {manifest.label.high:g}",
        "covariates": ", ".join(manifest.covariates.names) or "none",
        "covariates stated": _short(manifest.covariates.model_dump_json()),
        "rotation_invariant": manifest.rotation_invariant,
        "colour": manifest.colour,
        **{f"preprocessing.{name}": value for name, value in manifest.preprocessing.model_dump().items()},
        **{f"interval.{name}": value for name, value in manifest.interval.model_dump().items()},
        "calibration curve": _short(manifest.baseline.model_dump_json()),
        "disagreement_limit": manifest.disagreement_limit,
        "foreign": None if manifest.foreign is None else _short(manifest.foreign.model_dump_json()),
        "artifacts": ", ".join(artifact.name for artifact in manifest.artifacts),
        "recipe": origin.recipe,
        "seed": origin.seed,
        "parameters": origin.parameters,
        "dataset": f"{origin.dataset.name} {origin.dataset.sha256[:16]}",
        **{f"version of {name}": version for name, version in origin.versions.items()},
    }
    return {name: str(value) for name, value in facts.items()}


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def summary(differences: Sequence[float] | Float64Array) -> dict[str, float] | None:
    """Return the bias (mean), and mean, 99th percentile and maximum of the absolute differences.

    None where there are no differences.
    """
    values = np.asarray(differences, np.float64)
    if len(values) == 0:
        return None
    size = np.abs(values)
    return {
        "bias": float(np.mean(values)),
        "mean": float(np.mean(size)),
        "p99": float(np.percentile(size, 99)),
        "max": float(np.max(size)),
    }
