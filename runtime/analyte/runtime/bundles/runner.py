"""A bundle that is ready to measure: opened, proven on its golden set, with the pipeline around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from analyte.contract.bundle import Bundle
from analyte.contract.errors import AnalyteError
from analyte.contract.manifest import Artifact
from analyte.contract.profile import DeviceProfile
from analyte.runtime.control.events import RecalibrationRecord
from analyte.runtime.covariates import complete_covariates
from analyte.runtime.engines.protocol import Engine
from analyte.runtime.engines.registry import open_from_profile
from analyte.runtime.measuring import MeasureSettings, settings_from_profile
from analyte.runtime.pipeline import Pipeline
from analyte.runtime.regions.registry import finder_of
from analyte.runtime.selection import preferred_artifact
from analyte.runtime.selftest import quick_check
from analyte.runtime.trust import open_for_use

RecalibrationOf = Callable[[str], RecalibrationRecord | None]
"""Gives the recalibration that holds for a bundle, by its id."""


@dataclass(frozen=True, slots=True)
class Runner:
    """What measures."""

    bundle: Bundle
    artifact: Artifact
    engine: Engine
    pipeline: Pipeline

    def close(self) -> None:
        """Release the engine; may be called twice."""
        self.engine.close()


@dataclass(frozen=True, slots=True)
class Opened:
    """A bundle that passed, before it is known what it will measure."""

    bundle: Bundle
    artifact: Artifact
    engine: Engine
    settings: MeasureSettings

    def runner(self, recalibration_of: RecalibrationOf, *, ages: bool) -> Runner:
        """Put the pipeline around it. ``ages``: whether frames grow stale; those of files do not."""
        bundle = self.bundle
        settings = replace(
            self.settings,
            max_age_s=self.settings.max_age_s if ages else None,
            recalibration=lambda: recalibration_of(bundle.id),
        )
        return Runner(
            bundle, self.artifact, self.engine, Pipeline(bundle, self.artifact, self.engine, settings)
        )

    def close(self) -> None:
        """Release the engine; may be called twice."""
        self.engine.close()


def open_to_measure(
    path: Path, profile: DeviceProfile, report: Callable[[str], None], *, where: Path
) -> Opened:
    """Open a bundle as the profile demands: signature, every hash, artifact, engine, self-test.

    ``report`` is told of fallbacks. ``where``: the file of the profile.
    Raises: ProfileError, InputError, IntegrityError, UnavailableError, ParityError.
    """
    bundle = open_for_use(path, profile, where=where)
    manifest = bundle.manifest
    finder = finder_of(profile.region, manifest.views, where=where)
    covariates = complete_covariates(profile, manifest.covariates, where=where)
    settings = settings_from_profile(profile, manifest, finder, covariates, live=True, where=where)
    artifact = preferred_artifact(bundle, profile.engine, where=where)
    model = bundle.read(artifact)
    engine = open_from_profile(model, profile.engine, report, where=bundle.path / artifact.file)
    try:
        quick_check(bundle, artifact, engine)
    except AnalyteError:
        engine.close()
        raise
    return Opened(bundle, artifact, engine, settings)
