"""The colour correction that a profile asks for."""

from __future__ import annotations

from pathlib import Path

from analyte.contract.colour_calibration import ColourCalibration, load_calibration
from analyte.contract.errors import InputError, IntegrityError, ProfileError
from analyte.contract.sections.colour import ColourSection
from analyte.runtime.colour.corrector import CalibratedColour
from analyte.runtime.colour.protocol import ColourCorrector

_FIX = "Make it anew: analyte colour calibrate"


def corrector_of(
    section: ColourSection, *, folder: Path, where: object, rectified: bool = False
) -> ColourCorrector | None:
    """Return what corrects colours, or None where nothing is asked for.

    ``folder``: of the profile; paths are relative to it. ``rectified``: whether frames are rectified
    before they get here, which the dark and flat-field frames are not.
    Raises: ProfileError for a calibration that is missing, none, expired, or lacks what the section needs;
    IntegrityError for one that is damaged or was altered.
    """
    if section.calibration is None:
        return None
    path = folder / section.calibration
    try:
        calibration, maps = load_calibration(path)
    except InputError as error:
        raise ProfileError(f"colour.calibration: {error.line()}", where=where) from error
    except IntegrityError as error:
        raise IntegrityError(f"colour.calibration: {error.line()}", where=where) from error
    limit_days = min(calibration.valid_days, section.max_age_days or calibration.valid_days)
    _check_age(calibration, limit_days, path, where)
    if section.white is not None and calibration.white is None:
        raise ProfileError(
            "colour.white: the calibration does not say what colour the white patch should have",
            where=where,
            got=path,
            fix="Make it anew: analyte colour calibrate PHOTO --white x,y,w,h",
        )
    if calibration.chart is None and calibration.fields is None and section.white is None:
        raise ProfileError(
            "colour.white: is required, for the calibration holds nothing but a white patch",
            where=where,
            got=path,
        )
    chart = calibration.chart
    if (chart is not None or calibration.fields is not None) and not section.trained_alike:
        raise ProfileError(
            "colour.trained_alike: the calibration changes the colours that the network was trained on",
            where=where,
            expected="true, where the bundle was trained on pictures that were corrected in the same way",
            got="false",
            fix="Train on corrected pictures, or calibrate with --white alone (docs/colour.md)",
        )
    if chart is not None and chart.after.mean > section.max_residual:
        raise ProfileError(
            "colour.max_residual: the calibration leaves more",
            where=where,
            expected=f"mean Delta E 2000 of at most {section.max_residual:g}",
            got=f"{chart.after.mean:.2f} in {path}",
            fix=_FIX,
        )
    if rectified and calibration.fields is not None:
        raise ProfileError(
            "colour.calibration: dark and flat-field frames do not go with [region.markers]",
            where=where,
            got=path,
            fix="Make it anew without --dark and --flat",
        )
    return CalibratedColour(calibration, maps, white=section.white, max_age_days=limit_days)


def _check_age(calibration: ColourCalibration, limit_days: float, path: Path, where: object) -> None:
    if calibration.from_the_future:
        raise ProfileError(
            "colour.calibration: it is dated in the future",
            where=where,
            got=f"{calibration.created_at:%Y-%m-%d %H:%M} UTC in {path}",
            fix="Set this machine's clock",
        )
    age_days = calibration.age_days()
    if age_days > limit_days:
        raise ProfileError(
            "colour.calibration: it has expired",
            where=where,
            expected=f"at most {limit_days:g} days",
            got=f"{age_days:.1f} days, {path}",
            fix=_FIX,
        )
