"""What a pipeline takes from a device profile or a command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from analyte.contract.covariates import Covariate
from analyte.contract.errors import ProfileError
from analyte.contract.label import LabelSpec
from analyte.contract.manifest import Manifest
from analyte.contract.profile import DeviceProfile
from analyte.runtime.colour.protocol import ColourCorrector
from analyte.runtime.control.events import RecalibrationRecord
from analyte.runtime.quality.protocol import QualityCheck
from analyte.runtime.quality.registry import check_of
from analyte.runtime.regions.fixed import FixedRegions
from analyte.runtime.regions.protocol import RegionFinder


def never_recalibrated() -> None:
    """Say that no recalibration is in force."""


@dataclass(frozen=True, slots=True)
class MeasureSettings:
    """The stages between a frame and the network, and what is known beside the frame."""

    device: str
    """Id of the device; stands in every reading."""
    regions: RegionFinder = field(default_factory=lambda: FixedRegions({}))
    quality: QualityCheck | None = None
    colour: ColourCorrector | None = None
    max_age_s: float | None = None
    """Oldest frame that may be measured, seconds after its capture; None for files, which do not age."""
    covariates: Mapping[str, Covariate] = field(default_factory=dict)
    """Numbers and categories beside the pictures that hold for every reading, by name."""
    lod: float | None = None
    """Limit of detection, label's unit; None reports every value."""
    loq: float | None = None
    """Limit of quantitation, label's unit; None flags none."""
    recalibration: Callable[[], RecalibrationRecord | None] = never_recalibrated
    """The recalibration in force, asked for every measurement; None where none is."""


def settings_from_profile(
    profile: DeviceProfile,
    manifest: Manifest,
    regions: RegionFinder,
    covariates: Mapping[str, Covariate],
    *,
    live: bool,
    where: Path,
) -> MeasureSettings:
    """Return what the profile at ``where`` says; ``covariates`` are its own, parsed.

    Only where the source is ``live`` do frames age, and is one compared with the one before.
    Raises: ProfileError where a section does not fit the bundle, or a file that it names cannot be used;
    IntegrityError where that file was altered.
    """
    lod = _limit("lod", profile.measure.lod, manifest.lod, manifest.label, where)
    loq = _limit("loq", profile.measure.loq, manifest.loq, manifest.label, where)
    if lod is not None and loq is not None and loq < lod:
        raise ProfileError(
            "measure.loq: is below the limit of detection",
            where=where,
            expected=f"at least {lod:g} {manifest.label.unit}",
            got=f"{loq:g}",
        )
    return MeasureSettings(
        device=profile.device.id,
        regions=regions,
        quality=check_of(profile.quality, consecutive=live),
        colour=_corrector(profile, manifest, where),
        max_age_s=profile.camera.max_age_s if live else None,
        covariates=covariates,
        lod=lod,
        loq=loq,
    )


def changes_of_colours(method: str) -> frozenset[str]:
    """Return the stages of a correction after which colours are others than the camera's: all but a white
    patch, which keeps them. ``method``: as in `ColourRecord`, empty where nothing is corrected."""
    return frozenset(method.split("+")) - {"", "white"}


def _corrector(profile: DeviceProfile, manifest: Manifest, where: Path) -> ColourCorrector | None:
    corrector: ColourCorrector | None = None
    if profile.colour.calibration is not None:
        # A device that corrects nothing does not wait for it at its start.
        from analyte.runtime.colour.registry import corrector_of

        rectified = profile.region.markers is not None
        corrector = corrector_of(profile.colour, folder=where.parent, where=where, rectified=rectified)
    trained = manifest.provenance.dataset.colours
    method = "" if corrector is None else corrector.method
    wanted = changes_of_colours(trained)
    if wanted and changes_of_colours(method) != wanted:
        raise ProfileError(
            "colour.calibration: the bundle was trained on pictures whose colours were corrected otherwise",
            where=where,
            expected=trained,
            got=method or "no calibration",
            fix="Name the calibration that they were corrected with, or one of the same stages",
        )
    return corrector


def _limit(
    name: str, asked: float | str | None, known: float | None, label: LabelSpec, where: Path
) -> float | None:
    if not isinstance(asked, str):
        if asked is not None and asked >= label.high:
            raise ProfileError(
                f"measure.{name}: no value of the range would be reported",
                where=where,
                expected=f"less than {label.high:g} {label.unit}",
                got=f"{asked:g}",
            )
        return asked
    if known is None:
        raise ProfileError(
            f"measure.{name}: the bundle has no such limit",
            where=where,
            fix="Write the limit that the lab validated, in the label's unit, or leave the key out",
        )
    return known
