"""A profile against the machine that it is on: all that the daemon would need, looked at before it starts."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from analyte.contract.arrays import UInt8Array
from analyte.contract.errors import AnalyteError, ParityError, UnavailableError
from analyte.contract.profile import DeviceProfile, load_profile
from analyte.runtime.device.cameras import check_camera
from analyte.runtime.device.clock import check_clock
from analyte.runtime.device.engines import check_engine
from analyte.runtime.device.finding import Finding, missing, ok, refused
from analyte.runtime.device.machine import check_memory, check_storage, check_threads
from analyte.runtime.device.services import check_services


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """What to check beside the profile."""

    bundle: Path | None = None
    """Also open this bundle as the daemon would, and run its self-test."""
    source: str | None = None
    """Look for this camera in place of the profile's."""
    source_test: bool = False
    """Take one frame from the source, and try region and white patch on it."""


def check_device(path: Path, options: CheckOptions) -> list[Finding]:
    """Return what a profile needs and whether it is here. ``path``: the profile's file.

    Changes, installs and downloads nothing. Raises: ProfileError when the profile itself cannot be used.
    """
    profile = load_profile(path)
    frames: list[UInt8Array] = []
    findings = [
        *check_engine(profile),
        check_threads(profile),
        check_camera(profile, options.source, test=options.source_test, on_frame=frames.append),
        *(finding for pixels in frames for finding in _frame(profile, path, pixels, options.bundle)),
        check_memory(),
        check_clock(),
        *check_storage(profile.storage),
        *check_services(profile, path),
    ]
    if profile.security.require_signature:
        findings.append(_attempt("trusted keys", lambda: _keys(profile, path)))
        if importlib.util.find_spec("cryptography") is None:
            said = "the library that checks them is not installed"
            findings.append(missing("signatures", said, "pip install 'analyte[sign]'", UnavailableError))
    if profile.colour.calibration is not None:
        findings.append(_attempt("colour", lambda: _colour(profile, path)))
    if options.bundle is not None:
        bundle = options.bundle
        findings.append(_attempt("bundle", lambda: _bundle(profile, path, bundle)))
    return findings


def _frame(profile: DeviceProfile, path: Path, pixels: UInt8Array, bundle_path: Path | None) -> list[Finding]:
    """Try region and white patch on a frame."""
    from analyte.contract.bundle import open_bundle
    from analyte.runtime.device.frame import check_frame

    views = None
    if bundle_path is not None:
        try:
            views = open_bundle(bundle_path).manifest.views
        except AnalyteError:
            return []  # the check of the bundle says what is wrong with it
    return check_frame(profile, path, pixels, views)


def _attempt(check: str, act: Callable[[], str]) -> Finding:
    try:
        return ok(check, act())
    except AnalyteError as error:
        return refused(check, error)


def _keys(profile: DeviceProfile, path: Path) -> str:
    from analyte.runtime.trust import trusted_by

    return f"{len(trusted_by(profile, path))} can be read"


def _colour(profile: DeviceProfile, path: Path) -> str:
    from analyte.runtime.colour.registry import corrector_of

    section = profile.colour
    rectified = profile.region.markers is not None
    corrector_of(section, folder=path.absolute().parent, where=path, rectified=rectified)
    return f"{section.calibration} is there, whole and not expired"


def _bundle(profile: DeviceProfile, path: Path, bundle_path: Path) -> str:
    """Open a bundle as the daemon would and run the whole golden set. Raises: AnalyteError of every kind."""
    from analyte.runtime.covariates import complete_covariates
    from analyte.runtime.engines.registry import open_from_profile
    from analyte.runtime.measuring import settings_from_profile
    from analyte.runtime.regions.registry import finder_of
    from analyte.runtime.selection import preferred_artifact
    from analyte.runtime.selftest import check_artifact
    from analyte.runtime.trust import open_for_use

    bundle = open_for_use(bundle_path, profile, where=path)
    finder = finder_of(profile.region, bundle.manifest.views, where=path)
    covariates = complete_covariates(profile, bundle.manifest.covariates, where=path)
    settings_from_profile(profile, bundle.manifest, finder, covariates, live=True, where=path)
    artifact = preferred_artifact(bundle, profile.engine, where=path)
    model = bundle.read(artifact)
    engine = open_from_profile(model, profile.engine, lambda text: None, where=bundle.path / artifact.file)
    try:
        results = check_artifact(bundle, artifact, engine, bundle.golden_set())
        provider = engine.info.provider
    finally:
        engine.close()
    if not all(result.passed for result in results):
        raise ParityError(
            f"{artifact.name!r} on {provider!r} fails the self-test",
            where=bundle_path,
            fix="analyte selftest BUNDLE --device PROFILE shows by how much; use another artifact",
        )
    return f"{artifact.name} on {provider} passes the self-test, {results[0].n} images"
