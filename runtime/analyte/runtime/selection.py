"""Which artifact of a bundle runs here."""

from __future__ import annotations

from analyte.contract.bundle import Bundle
from analyte.contract.errors import ProfileError, UnavailableError
from analyte.contract.manifest import Artifact
from analyte.contract.sections.engine import EngineSection
from analyte.runtime.engines.registry import ENGINES, is_installed


def preferred_artifact(bundle: Bundle, section: EngineSection, *, where: object) -> Artifact:
    """Return the first artifact of the profile's list that the bundle has.

    Raises: ProfileError when it has none of them, or the first one is for another engine than the profile's.
    """
    present = {artifact.name: artifact for artifact in bundle.manifest.artifacts}
    for name in section.artifacts:
        if name in present:
            artifact = present[name]
            if artifact.engine != section.name:
                raise ProfileError(
                    f"engine.artifacts: {name!r} is for engine {artifact.engine!r}",
                    where=where,
                    expected=f"artifacts for engine.name = {section.name!r}",
                )
            return artifact
    raise ProfileError(
        "engine.artifacts: the bundle has none of them",
        where=where,
        expected=" or ".join(section.artifacts),
        got=", ".join(present),
        fix=f"Export one of them: analyte export RUN --format {section.artifacts[0]}",
    )


def first_installed_artifact(bundle: Bundle) -> Artifact:
    """Return the first artifact that passed the gate, in the bundle's order, whose engine is installed.

    Raises: UnavailableError when none is.
    """
    sound = [artifact for artifact in bundle.manifest.artifacts if not artifact.degraded]
    # Where all missed the gate, the first is refused with its own message when it is opened for use.
    for artifact in sound or bundle.manifest.artifacts:
        if is_installed(artifact.engine):
            return artifact
    extras = sorted({ENGINES[artifact.engine].extras[""] for artifact in bundle.manifest.artifacts})
    raise UnavailableError(
        "no engine for any artifact of the bundle is installed",
        where=bundle.path,
        expected=" or ".join(sorted({artifact.engine for artifact in bundle.manifest.artifacts})),
        fix=" or ".join(f"pip install 'analyte[{extra}]'" for extra in extras),
    )
