"""Which artifact, provider and number of threads is fastest here, of those that say what Keras said."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from analyte.contract.bundle import Bundle
from analyte.contract.errors import ParityError, ProfileError, UnavailableError
from analyte.contract.manifest import EngineName
from analyte.contract.profile import DeviceProfile
from analyte.contract.sections.engine import EngineSection
from analyte.runtime.benchmark import Measured, Settings, run_benchmark
from analyte.runtime.cases import Skipped, cases
from analyte.runtime.device.editing import Value
from analyte.runtime.engines.registry import open_from_profile
from analyte.runtime.selftest import check_artifact

MOST_THREADS = 8
"""Networks of this size gain nothing from more; a machine with 64 processors need not try them all."""
TIE = 1.1
"""Medians closer than this ratio count as equal: two runs of one case differ by as much on a busy machine.
Then fewer threads are chosen, which leave processors to the camera and the store."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """What was measured and what follows from it; JSON names equal field names."""

    rows: tuple[Measured, ...]
    """The fastest first."""
    skipped: tuple[Skipped, ...]
    rejected: tuple[str, ...]
    """Those that were looked at before the choice and may not be used, each with the reason."""
    name: EngineName
    provider: str
    threads: int
    artifacts: tuple[str, ...]
    """The choice, and after it the other artifacts that pass on this provider, by speed."""
    p50_us: float
    """Of the choice: median of one run, microseconds."""
    why: str


def thread_counts() -> list[int]:
    """Return 1, 2, 4, … up to the processors that this process may use."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return [2**power for power in range(MOST_THREADS.bit_length()) if 2**power <= min(usable, MOST_THREADS)]


def tune(
    bundle: Bundle,
    profile: DeviceProfile,
    *,
    where: object,
    repeats: int | None = None,
    on_progress: Callable[[float], object] = lambda share: None,
) -> Tuned:
    """Measure every artifact on every provider that is there, in processes of their own, and choose.

    ``where``: the profile's file. ``on_progress`` gets shares that sum to 1.
    Raises: ProfileError for a profile with a delegate's library, whose providers nothing tries unasked;
    ParityError when nothing passes the self-test; UnavailableError when nothing runs; IntegrityError.
    """
    if profile.engine.delegate is not None:
        raise ProfileError(
            f"engine.delegate: provider {profile.engine.provider!r} is not among what is compared",
            where=where,
            expected="a profile without a delegate's library",
            fix="Keep it, and prove it: analyte selftest BUNDLE --device PROFILE",
        )
    counts = thread_counts()
    rows: list[Measured] = []
    skipped: tuple[Skipped, ...] = ()
    for threads in counts:
        settings = Settings(threads=threads, repeats=repeats)
        found = run_benchmark(bundle, cases(bundle), settings, lambda share: on_progress(share / len(counts)))
        rows += found.results
        skipped = found.skipped
    rows.sort(key=lambda row: row.p50_us)
    return _choose(bundle, profile, rows, skipped)


def changes_for(tuned: Tuned, section: EngineSection) -> dict[str, Value | None]:
    """Return what to write under ``[engine]``.

    Options of a provider that is no longer used go, and fallbacks of another engine with them.
    """
    changes: dict[str, Value | None] = {
        "name": tuned.name,
        "provider": tuned.provider,
        "threads": tuned.threads,
        "artifacts": tuned.artifacts,
    }
    if (tuned.name, tuned.provider) != (section.name, section.provider) and section.provider_options:
        changes["provider_options"] = None
    if tuned.name != section.name and section.fallback:
        changes["fallback"] = ()
    return changes


def _choose(
    bundle: Bundle, profile: DeviceProfile, rows: Sequence[Measured], skipped: tuple[Skipped, ...]
) -> Tuned:
    rejected: list[str] = []
    for row in _preferred(rows):
        reason = _objection(bundle, profile, row)
        if reason is None:
            return _tuned(bundle, profile, rows, skipped, rejected, row)
        rejected.append(f"{_named(row)}: {reason}")
    raise ParityError(
        "nothing that runs here passes the self-test",
        where=bundle.path,
        got="; ".join(rejected),
        fix="Do not use this bundle on this device: export it again",
    )


def _preferred(rows: Sequence[Measured]) -> list[Measured]:
    """Return rows, given by speed, in the order in which they are tried: of ties, fewer threads first."""
    left, order = list(rows), []
    while left:
        limit_us = TIE * next((row.p50_us for row in left if row.passed), left[0].p50_us)
        tied = [row for row in left if row.p50_us <= limit_us]
        order += sorted(tied, key=lambda row: (not row.passed, row.threads, row.p50_us))
        left = [row for row in left if row.p50_us > limit_us]
    return order


def _objection(bundle: Bundle, profile: DeviceProfile, row: Measured) -> str | None:
    """Return why a row may not be used; None when it passes as the profile would run it."""
    if not row.passed:
        return "fails the self-test"
    artifact = bundle.artifact(row.artifact)
    section = _section(profile.engine, row)
    try:
        engine = open_from_profile(
            bundle.read(artifact), section, lambda text: None, where=bundle.path / artifact.file
        )
    except UnavailableError as error:
        return error.line()
    try:
        results = check_artifact(bundle, artifact, engine, bundle.golden_set())
    finally:
        engine.close()
    return None if all(result.passed for result in results) else "fails the self-test"


def _section(section: EngineSection, row: Measured) -> EngineSection:
    same = (row.engine, row.provider) == (section.name, section.provider)
    return section.model_copy(
        update={
            "name": row.engine,
            "provider": row.provider,
            "threads": row.threads,
            "artifacts": (row.artifact,),
            "fallback": (),
            "provider_options": section.provider_options if same else {},
        }
    )


def _tuned(
    bundle: Bundle,
    profile: DeviceProfile,
    rows: Sequence[Measured],
    skipped: tuple[Skipped, ...],
    rejected: list[str],
    best: Measured,
) -> Tuned:
    artifact = bundle.artifact(best.artifact)
    alike = (row for row in rows if (row.engine, row.provider) == (best.engine, best.provider))
    others = dict.fromkeys(
        row.artifact
        for row in alike
        if row.artifact != best.artifact and _objection(bundle, profile, row) is None
    )
    second = next((row for row in rows if row is not best and row.passed), None)
    beside = "" if second is None else f". Beside it {_named(second)}: {second.p50_us:.0f} us"
    return Tuned(
        rows=tuple(rows),
        skipped=skipped,
        rejected=tuple(rejected),
        name=artifact.engine,
        provider=best.provider,
        threads=best.threads,
        artifacts=(best.artifact, *others),
        p50_us=best.p50_us,
        why=f"{_named(best)}: {best.p50_us:.0f} us per sample, the fastest that passes the self-test, "
        f"or within {TIE - 1:.0%} of it with fewer threads{beside}",
    )


def _named(row: Measured) -> str:
    return f"{row.artifact} on {row.provider}, {row.threads} thread{'s' if row.threads > 1 else ''}"
