"""``analyte colour``: calibrate a camera's colours, and check a calibration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from analyte.runtime.commands.colour_correct import command as correct
from analyte.runtime.commands.finite_range import FiniteRange

if TYPE_CHECKING:
    from analyte.contract.arrays import Float64Array
    from analyte.contract.colour_calibration import ColourCalibration
    from analyte.runtime.colour.calibrating import Check
    from analyte.runtime.colour.chart import Measured
    from analyte.runtime.colour.fitting import Fit

# Everything that reads pictures is imported when a sub-command runs: help stays instant.
_CHARTS = ("classic", "classic-2005")


@click.group("colour")
def command() -> None:
    """Calibrate a camera's colours, check whether a calibration still holds, correct a dataset by it."""


@command.command("calibrate")
@click.argument("photographs", metavar="PHOTO...", nargs=-1, type=click.Path(readable=False, path_type=Path))
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(readable=False, path_type=Path),
    help="File to write, .json.",
)
@click.option(
    "--chart",
    type=click.Choice(_CHARTS),
    help="The ColorChecker in PHOTO: Classic, Mini, Nano or Passport, made since November 2014 or before.",
)
@click.option(
    "--corners",
    metavar="X,Y,X,Y,X,Y,X,Y",
    help="Outer corners of the patches dark skin, bluish green, black and white, pixels; else it is "
    "searched "
    "for.",
)
@click.option("--white", metavar="X,Y,W,H", help="White reference patch in PHOTO, pixels.")
@click.option(
    "--dark",
    multiple=True,
    type=click.Path(readable=False, path_type=Path),
    help="Frame with the lens covered.",
)
@click.option(
    "--flat",
    multiple=True,
    type=click.Path(readable=False, path_type=Path),
    help="Frame of an even white field.",
)
@click.option(
    "--valid-days",
    default=30.0,
    show_default=True,
    type=FiniteRange(0.1, 36500),
    help="Days after which devices refuse it.",
)
@click.option(
    "--max-residual",
    default=5.0,
    show_default=True,
    type=FiniteRange(0, min_open=True),
    help="Largest mean residual of the patches, Delta E 2000.",
)
@click.option(
    "--picture", type=click.Path(readable=False, path_type=Path), help="Draw what was measured, PNG."
)
@click.option("--overwrite", is_flag=True, help="Replace what exists.")
@click.option("--json", "as_json", is_flag=True, help="Print the calibration.")
def calibrate(
    photographs: tuple[Path, ...],
    out: Path,
    chart: str | None,
    corners: str | None,
    white: str | None,
    dark: tuple[Path, ...],
    flat: tuple[Path, ...],
    valid_days: float,
    max_residual: float,
    picture: Path | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Find out what brings the camera's colours to those of a chart, or keeps them where they are.

    PHOTO: one scene with chart or white patch in the light of the instrument; several are averaged. A
    chart that is hidden in part, tilted, mirrored, too small or over-exposed is refused, exit code 3.
    """
    from analyte.contract.colour_calibration import save_calibration
    from analyte.contract.errors import SettingsError
    from analyte.contract.output import check_output
    from analyte.runtime.colour.calibrating import Wanted
    from analyte.runtime.colour.calibrating import calibrate as make
    from analyte.runtime.regions.boxes import parse_regions

    if out.suffix != ".json":
        raise SettingsError(
            "the calibration is written as JSON", expected="a name that ends in .json", got=out
        )
    if (corners or picture) and chart is None:
        raise SettingsError("--corners and --picture go with --chart", expected=" or ".join(_CHARTS))
    if picture is not None:
        if picture.resolve() in {photo.resolve() for photo in photographs}:
            raise SettingsError("--picture: is one of the photographs", got=picture)
        if picture.suffix.lower() != ".png":
            raise SettingsError("not a kind of picture that is drawn", expected=".png", got=picture)
        check_output(picture, overwrite=overwrite)
    check_output(out, overwrite=overwrite)
    wanted = Wanted(
        chart=chart,
        corners=None if corners is None else _corners(corners),
        white=None if white is None else parse_regions([white], ["white"])["white"],
        dark=dark,
        flat=flat,
        valid_days=valid_days,
        max_residual=max_residual,
    )
    made = make(photographs, wanted)
    if picture is not None and made.measured is not None and made.fit is not None:
        _draw(photographs[0], picture, made.measured, made.fit, overwrite=overwrite)
    written = save_calibration(out, made.calibration, made.maps, overwrite=overwrite)
    click.echo(written.model_dump_json(indent=2) if as_json else _described(written, out))


@command.command("check")
@click.argument("calibration", type=click.Path(readable=False, path_type=Path))
@click.argument("photo", type=click.Path(readable=False, path_type=Path))
@click.option(
    "--max-residual",
    default=5.0,
    show_default=True,
    type=FiniteRange(0, min_open=True),
    help="Largest mean distance of the corrected patches from the maker's values, Delta E 2000.",
)
@click.option(
    "--max-drift",
    default=3.0,
    show_default=True,
    type=FiniteRange(0, min_open=True),
    help="Largest mean change of the patches since the calibration, Delta E 2000.",
)
@click.option(
    "--max-gain",
    default=1.5,
    show_default=True,
    type=FiniteRange(1, min_open=True),
    help="Largest factor, up or down, by which the light of the white patch may have changed.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(
    calibration: Path, photo: Path, max_residual: float, max_drift: float, max_gain: float, as_json: bool
) -> None:
    """Say whether CALIBRATION still holds for PHOTO, which shows the same chart or white patch.

    Limits of residual and drift are means over the patches, Delta E 2000. Exit code 3 where a limit is
    passed, PHOTO is of another size, or the calibration has expired; 7 where it was altered.
    """
    import dataclasses

    from analyte.contract.colour_calibration import load_calibration
    from analyte.contract.errors import InputError
    from analyte.runtime.colour.calibrating import CheckLimits
    from analyte.runtime.colour.calibrating import check as compare

    loaded, maps = load_calibration(calibration)
    found = compare(loaded, maps, photo, CheckLimits(max_residual, max_drift, max_gain))
    if as_json:
        rows = dataclasses.asdict(found)
        for key in ("residual", "residual_then", "drift"):
            rows[key] = None if rows[key] is None else rows[key].model_dump()
        click.echo(json.dumps({"passed": not found.problems, **rows}, indent=2, allow_nan=False))
    else:
        click.echo(_checked(found))
    if found.problems:
        raise InputError(
            f"the calibration does not hold: {'; '.join(found.problems)}",
            where=calibration,
            fix="Check lamp, lens and camera settings, clean the chart, and make it anew: analyte "
            "colour "
            "calibrate",
        )


command.add_command(correct)


def _corners(text: str) -> Float64Array:
    import numpy as np

    from analyte.contract.errors import SettingsError

    try:
        numbers = np.array([float(part) for part in text.split(",")])
    except ValueError:
        numbers = np.empty(0)
    if len(numbers) != 8 or not np.isfinite(numbers).all():
        raise SettingsError(f"--corners: {text!r}", expected="x,y of four corners: eight numbers, pixels")
    return numbers.reshape(4, 2)


def _draw(photo: Path, picture: Path, measured: Measured, fit: Fit, *, overwrite: bool) -> None:
    import cv2

    from analyte.contract.imaging import read_image
    from analyte.contract.output_file import staged_file
    from analyte.runtime.colour.calibrating import overlay

    _, data = cv2.imencode(".png", overlay(read_image(photo), measured, fit))
    with staged_file(picture, overwrite=overwrite) as file:
        file.write(bytes(data))


def _described(made: ColourCalibration, out: Path) -> str:
    lines = [f"{out}: valid until {made.expires_at:%Y-%m-%d %H:%M} UTC"]
    if made.chart is not None:
        part = made.chart
        lines.append(
            f"chart {part.chart}, {part.model} correction, {24 - sum(part.clipped)} patches; Delta E "
            f"2000, mean "
            f"(max): before {part.before.mean:.2f} ({part.before.max:.1f}), after {part.after.mean:.2f} "
            f"({part.after.max:.1f}), patches left out of the fit {part.left_out.mean:.2f} "
            f"({part.left_out.max:.1f})"
        )
    if made.white is not None:
        r, g, b = made.white.light
        lines.append(f"white patch {made.white.box}: linear light R {r:.3f} G {g:.3f} B {b:.3f}")
    if made.fields is not None:
        kinds = [name for name, there in (("dark", made.fields.dark), ("flat", made.fields.flat)) if there]
        lines.append(f"{' and '.join(kinds)} frames of {made.fields.width}x{made.fields.height}")
    return "\n".join(lines)


def _checked(found: Check) -> str:
    lines = [f"age {found.age_days:.1f} days, expires {found.expires_at}"]
    if found.residual is not None and found.drift is not None and found.residual_then is not None:
        lines.append(
            f"Delta E 2000, mean (max): residual {found.residual.mean:.2f} ({found.residual.max:.1f}), "
            f"then "
            f"{found.residual_then.mean:.2f} ({found.residual_then.max:.1f}); drift "
            f"{found.drift.mean:.2f} "
            f"({found.drift.max:.1f})"
        )
    if found.gains is not None:
        lines.append("gains of the white patch: R {:.3f} G {:.3f} B {:.3f}".format(*found.gains))
    return "\n".join(lines)
