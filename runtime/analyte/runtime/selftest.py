"""Does a bundle say here what Keras said where it was exported?"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from analyte.contract.bundle import Bundle, GoldenSet
from analyte.contract.errors import IntegrityError, ParityError, UnavailableError
from analyte.contract.manifest import Artifact
from analyte.contract.profile import DeviceProfile
from analyte.runtime.deviation import MeasuredDeviation, measure_deviation
from analyte.runtime.engines.protocol import Engine
from analyte.runtime.engines.registry import open_engine, open_from_profile
from analyte.runtime.pipeline import check_engine_fits

QUICK_IMAGES = 8
"""Images of the golden set that a daemon runs before its first reading."""


@dataclass(frozen=True, slots=True)
class SelfTestResult:
    """One artifact at one batch size; JSON names equal field names. Deviations are in the label's unit.

    A deviation is None where the engine gave a value that is not finite.
    """

    artifact: str
    engine: str
    provider: str
    threads: int
    batch: int
    n: int
    mean_deviation: float | None
    p99_deviation: float | None
    max_deviation: float | None
    sigma_ratio: float | None
    """Median of the engine's sigma over Keras'."""
    tolerance: float
    passed: bool


def check_artifact(
    bundle: Bundle, artifact: Artifact, engine: Engine, golden: GoldenSet
) -> list[SelfTestResult]:
    """Compare an opened artifact with the golden set, one by one and all at once.

    Raises: IntegrityError when artifact, manifest and golden set do not fit each other.
    """
    check_engine_fits(bundle, artifact, engine)
    _check_golden(bundle, golden)
    batches = sorted({1, len(golden.images)})
    measured = (
        measure_deviation(
            engine, golden.images, golden.value, batch, sigma=golden.sigma, covariates=golden.covariates
        )
        for batch in batches
    )
    return [describe(artifact, engine, deviation) for deviation in measured]


def quick_check(bundle: Bundle, artifact: Artifact, engine: Engine) -> None:
    """Run a few golden images before the first reading; the whole set where these are not good enough.

    Whether an int8 artifact passes is a matter of the 99th percentile of the whole set: one image in a few
    may lie beyond it in a sound artifact.
    Raises: ParityError when the artifact deviates by more than its tolerance, or did at export;
    IntegrityError when the golden set is missing or altered.
    """
    if artifact.degraded:
        raise ParityError(
            f"{artifact.name!r} missed its tolerance when it was exported: {'; '.join(artifact.degraded)}",
            where=bundle.path,
            fix="Use another artifact, or export it so that it passes",
        )
    golden = bundle.golden_set()
    _check_golden(bundle, golden)
    tolerance = artifact.parity.tolerance
    n = len(golden.images)
    few = np.unique(np.linspace(0, n - 1, min(n, QUICK_IMAGES)).round().astype(int))
    for chosen in (few, np.arange(n)):
        deviation = measure_deviation(
            engine,
            golden.images[chosen],
            golden.value[chosen],
            1,
            sigma=golden.sigma[chosen],
            covariates=golden.covariates[chosen],
        )
        if deviation.passes(artifact.precision, tolerance):
            return
    unit = bundle.manifest.label.unit
    raise ParityError(
        f"self-test failed: {artifact.name!r} does not say here what it said when it was exported",
        where=bundle.path,
        expected=f"a deviation of at most {tolerance:.3g} {unit}",
        got=f"{deviation.gated(artifact.precision):.3g} {unit} over {deviation.n} images, sigma times "
        f"{deviation.sigma_ratio:.3g}",
        fix="Do not use it on this device; see: analyte selftest BUNDLE --device PROFILE",
    )


@dataclass(frozen=True, slots=True)
class Candidate:
    """An artifact to test and how to open it."""

    artifact: Artifact
    open: Callable[[bytes], Engine]


def candidates(
    bundle: Bundle,
    profile: DeviceProfile | None,
    names: Sequence[str],
    report: Callable[[str], None],
) -> list[Candidate]:
    """Return what to test: the artifacts named, else those of the profile, else all.

    ``report`` is told of each artifact that is left out, and why. Engines are not opened yet.
    Raises: SettingsError for a name that the bundle does not have.
    """
    artifacts = [bundle.artifact(name) for name in names] or list(bundle.manifest.artifacts)
    chosen: list[Candidate] = []
    for artifact in artifacts:
        if profile is None:
            chosen.append(Candidate(artifact, _default_opener(artifact)))
            continue
        section = profile.engine
        if artifact.engine != section.name:
            report(
                f"skipped {artifact.name}: for engine {artifact.engine!r}, the profile has {section.name!r}"
            )
        elif not names and artifact.name not in section.artifacts:
            report(f"skipped {artifact.name}: not among engine.artifacts of the profile")
        else:
            chosen.append(Candidate(artifact, _profile_opener(artifact, profile, report)))
    return chosen


def run_selftest(
    bundle: Bundle, chosen: Sequence[Candidate], report: Callable[[str], None], *, skip_unavailable: bool
) -> list[SelfTestResult]:
    """Verify every file of a bundle and test the candidates.

    With ``skip_unavailable`` an artifact whose engine is not there is reported and left out.
    Raises: IntegrityError for a missing or altered file; UnavailableError when an engine is not there, or
    nothing could be tested: no test is no pass.
    """
    bundle.verify()
    golden = bundle.golden_set()
    results: list[SelfTestResult] = []
    for candidate in chosen:
        artifact = candidate.artifact
        try:
            engine = candidate.open(bundle.read(artifact))
        except UnavailableError as error:
            if not skip_unavailable:
                raise
            report(f"skipped {artifact.name}: {error.line()}")
            continue
        try:
            results += check_artifact(bundle, artifact, engine, golden)
        finally:
            engine.close()
    if not results:
        raise UnavailableError("no artifact of the bundle could be tested here", where=bundle.path)
    return results


def _default_opener(artifact: Artifact) -> Callable[[bytes], Engine]:
    return lambda model: open_engine(model, artifact.engine, where=artifact.file)


def _profile_opener(
    artifact: Artifact, profile: DeviceProfile, report: Callable[[str], None]
) -> Callable[[bytes], Engine]:
    return lambda model: open_from_profile(model, profile.engine, report, where=artifact.file)


def _check_golden(bundle: Bundle, golden: GoldenSet) -> None:
    manifest = bundle.manifest
    size = manifest.preprocessing.size
    wanted = (len(golden.value), len(manifest.views), size, size, 3)
    columns = (len(golden.value), len(manifest.covariates.names))
    if golden.images.shape != wanted or len(golden.value) == 0 or golden.covariates.shape != columns:
        raise IntegrityError(
            "the golden set does not fit the manifest",
            where=bundle.path / manifest.golden.file,
            expected=f"at least 1 image, {list(wanted)}, covariates {list(columns)}",
            got=f"{list(golden.images.shape)}, covariates {list(golden.covariates.shape)}",
            fix="Export the bundle again",
        )


def describe(artifact: Artifact, engine: Engine, deviation: MeasuredDeviation) -> SelfTestResult:
    """Put a measured deviation of an opened artifact beside its tolerance."""

    def finite(number: float) -> float | None:
        return number if math.isfinite(number) else None

    tolerance = artifact.parity.tolerance
    return SelfTestResult(
        artifact=artifact.name,
        engine=engine.info.engine,
        provider=engine.info.provider,
        threads=engine.info.threads,
        batch=deviation.batch,
        n=deviation.n,
        mean_deviation=finite(deviation.mean),
        p99_deviation=finite(deviation.p99),
        max_deviation=finite(deviation.max),
        sigma_ratio=finite(deviation.sigma_ratio),
        tolerance=tolerance,
        passed=not artifact.degraded and deviation.passes(artifact.precision, tolerance),
    )
