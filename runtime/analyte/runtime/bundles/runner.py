"""A bundle that is ready to measure: opened, proven on its golden set, with the pipeline around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from analyte.contract.bundle import Bundle
from analyte.contract.errors import AnalyteError
from analyte.contract.manifest import Artifact
from analyte.contract.profile import DeviceProfile
from analyte.runtime.covariates import complete_covariates
from analyte.runtime.engines.protocol import Engine
from analyte.runtime.engines.registry import open_from_profile
from analyte.runtime.measuring import settings_from_profile
from analyte.runtime.pipeline import Pipeline
from analyte.runtime.regions.registry import finder_of
from analyte.runtime.selection import preferred_artifact
from analyte.runtime.selftest import quick_check
from analyte.runtime.trust import open_for_use


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


def open_runner(
    path: Path, profile: DeviceProfile, report: Callable[[str], None], *, live: bool, where: Path
) -> Runner:
    """Open a bundle as the profile demands: signature, every hash, artifact, engine, self-test.

    ``report`` is told of fallbacks. ``live``: whether frames come by the clock. ``where``: the file of the
    profile.
    Raises: ProfileError, InputError, IntegrityError, UnavailableError, ParityError.
    """
    bundle = open_for_use(path, profile, where=where)
    manifest = bundle.manifest
    finder = finder_of(profile.region, manifest.views, where=where)
    covariates = complete_covariates(profile, manifest.covariates, where=where)
    settings = settings_from_profile(profile, manifest, finder, covariates, live=live, where=where)
    artifact = preferred_artifact(bundle, profile.engine, where=where)
    engine = open_from_profile(
        bundle.read(artifact), profile.engine, report, where=bundle.path / artifact.file
    )
    try:
        quick_check(bundle, artifact, engine)
        return Runner(bundle, artifact, engine, Pipeline(bundle, artifact, engine, settings))
    except AnalyteError:
        engine.close()
        raise
