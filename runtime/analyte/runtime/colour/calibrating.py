"""Making a colour calibration from photographs, and checking one against a new photograph."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np

from analyte.contract.arrays import Float64Array, UInt8Array
from analyte.contract.colour_calibration import (
    ChartFit,
    ColourCalibration,
    FieldMaps,
    Maps,
    Residual,
    WhitePatch,
)
from analyte.contract.errors import ImageError, InputError, SettingsError
from analyte.contract.imaging import read_image
from analyte.contract.preprocessing import Box
from analyte.runtime.colour.chart import Measured, find_chart, measure_chart
from analyte.runtime.colour.delta_e import delta_e_2000, linear_to_lab
from analyte.runtime.colour.fitting import Fit, differences_of, fit_chart, residual_of, terms
from analyte.runtime.colour.light import corrected_light, field_maps, white_light
from analyte.runtime.colour.references import CHARTS, Chart
from analyte.runtime.refusal import Refusal

MOST_LEFT_OUT = 15.0
"""Delta E 2000 of a patch that the fit has not seen: more is no matter of colours, but of another chart,
of a patch that is hidden or stained, or of uneven light."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a calibration is to hold."""

    chart: str | None
    corners: Float64Array | None
    """Of the chart, pixels, ``[4, 2]``; None searches for it."""
    white: Box | None
    dark: tuple[Path, ...]
    flat: tuple[Path, ...]
    valid_days: float
    max_residual: float
    """Largest mean residual, Delta E 2000."""


@dataclass(frozen=True, slots=True)
class Made:
    """A calibration that is not written yet."""

    calibration: ColourCalibration
    maps: Maps | None
    measured: Measured | None
    """The chart in the first photograph."""
    fit: Fit | None


@dataclass(frozen=True, slots=True)
class CheckLimits:
    """How far a calibration may be off before it has to be made anew."""

    max_residual: float
    """Largest mean residual of the chart's patches, Delta E 2000."""
    max_drift: float
    """Largest mean distance between the corrected patches of now and of then, Delta E 2000."""
    max_gain: float
    """Largest factor, up or down, by which the light of the white patch may have changed on a channel."""


@dataclass(frozen=True, slots=True)
class Check:
    """How a calibration does on a new photograph."""

    age_days: float
    expires_at: str
    """UTC, ISO 8601."""
    residual: Residual | None
    """Of the chart's patches after the correction, Delta E 2000; None without a chart."""
    residual_then: Residual | None
    """The same when the calibration was made."""
    drift: Residual | None
    """Between the corrected patches of now and of then, Delta E 2000."""
    gains: tuple[float, float, float] | None
    """Of the white patch on R, G, B; None without one."""
    problems: tuple[str, ...]
    """What is beyond its limit; empty where the calibration may be used."""


def calibrate(photographs: Sequence[Path], wanted: Wanted) -> Made:
    """Calibrate from photographs of one scene, taken with camera and chart at rest.

    Raises: ImageError, InputError with the reason why one cannot be used; SettingsError where nothing to
    calibrate is asked for.
    """
    if wanted.chart is None and wanted.white is None and not (wanted.dark or wanted.flat):
        raise SettingsError("nothing to calibrate", expected="one of --chart, --white, --dark and --flat")
    if not photographs and (wanted.chart or wanted.white):
        raise SettingsError("no photograph of the chart or the white patch", expected="PHOTO")
    maps = field_maps(wanted.dark, wanted.flat)
    frames = {photo: _fitting(read_image(photo), maps, photo) for photo in photographs}
    size = _common_size(frames, maps)
    white = None
    if wanted.white is not None:
        lights = [_white(frame, wanted.white, maps, photo) for photo, frame in frames.items()]
        r, g, b = np.mean(lights, axis=0).tolist()
        white = WhitePatch(box=wanted.white, light=(r, g, b))
    chart = None if wanted.chart is None else _chart_of(frames, maps, wanted)
    files = (*photographs, *wanted.dark, *wanted.flat)
    calibration = ColourCalibration(
        created_at=datetime.now(UTC).replace(microsecond=0),
        valid_days=wanted.valid_days,
        frame=size,
        photographs={file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files},
        chart=None if chart is None else chart[0],
        white=white,
        fields=None if maps is None else _unsaved(maps),
    )
    return Made(calibration, maps, chart and chart[1], chart and chart[2])


def check(calibration: ColourCalibration, maps: Maps, photo: Path, limits: CheckLimits) -> Check:
    """Compare a photograph of the same chart or white patch with the calibration.

    Raises: ImageError where it is of another size than the calibration's, or the chart or the patch cannot be
    measured.
    """
    frame = _fitting(read_image(photo), maps, photo)
    if calibration.frame is not None:
        _demand_size(frame, calibration.frame, photo)
    problems: list[str] = []
    age_days = calibration.age_days()
    if age_days > calibration.valid_days:
        problems.append(f"age {age_days:.1f} days, of at most {calibration.valid_days:g}")
    if calibration.from_the_future:
        problems.append("dated in the future: set this machine's clock")
    gains: Float64Array | None = None
    if calibration.white is not None:
        now = _white(frame, calibration.white.box, maps, photo)
        gains = np.array(calibration.white.light) / now
        far = float(np.maximum(gains, 1.0 / gains).max())
        if far > limits.max_gain:
            problems.append(
                f"light of the white patch changed {far:.2f}-fold, of at most {limits.max_gain:g}"
            )
    residual = drift = None
    if calibration.chart is not None:
        residual, drift = _chart_now(calibration.chart, frame, maps, gains, photo)
        if residual.mean > limits.max_residual:
            problems.append(
                f"residual {residual.mean:.2f}, of at most {limits.max_residual:g} (Delta E 2000)"
            )
        if drift.mean > limits.max_drift:
            problems.append(f"drift {drift.mean:.2f}, of at most {limits.max_drift:g} (Delta E 2000)")
    return Check(
        age_days=age_days,
        expires_at=calibration.expires_at.isoformat(),
        residual=residual,
        residual_then=None if calibration.chart is None else calibration.chart.after,
        drift=drift,
        gains=None if gains is None else (float(gains[0]), float(gains[1]), float(gains[2])),
        problems=tuple(problems),
    )


def overlay(photo: UInt8Array, measured: Measured, fit: Fit) -> UInt8Array:
    """Return a photograph, uint8 ``[H, W, 3]`` BGR, with the chart's outline and each patch's Delta E
    2000."""
    picture = photo.copy()
    step = float(np.hypot(*(measured.corners[1] - measured.corners[0])) / 6.0)
    thick = max(1, round(step / 40))
    corners = np.rint(measured.corners).astype(np.int32)
    cv2.polylines(picture, [corners], True, (0, 0, 255), thick)
    for area, left_out in zip(measured.areas, fit.differences, strict=True):
        cv2.polylines(picture, [np.rint(area).astype(np.int32)], True, (0, 255, 0), thick)
        x, y = np.rint(area.mean(axis=0)).astype(int).tolist()
        text = "clip" if np.isnan(left_out) else f"{left_out:.1f}"
        at = (x - int(0.25 * step), y)
        cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, step / 110, (255, 255, 255), thick)
    return picture


def _chart_of(
    frames: dict[Path, UInt8Array], maps: Maps | None, wanted: Wanted
) -> tuple[ChartFit, Measured, Fit]:
    chart = CHARTS[wanted.chart or ""]
    found = [_measured(frame, maps, wanted.corners, chart, photo) for photo, frame in frames.items()]
    linear = np.mean([one.linear for one in found], axis=0)
    clipped = tuple(bool(any(flags)) for flags in zip(*(one.clipped for one in found), strict=True))
    fit = fit_chart(linear, chart, [not flag for flag in clipped])
    first = next(iter(frames))
    worst = int(np.nanargmax(fit.left_out_differences))
    if fit.left_out.max > MOST_LEFT_OUT:
        raise ImageError(
            f"patch {chart.patches[worst]!r} does not go with the others: another kind of chart, a "
            f"patch that "
            "is hidden or stained, or uneven light",
            where=first,
            expected=f"Delta E 2000 of at most {MOST_LEFT_OUT:g} for a patch that the fit has not seen",
            got=f"{fit.left_out.max:.1f}",
        )
    if fit.after.mean > wanted.max_residual:
        raise ImageError(
            "the chart's colours cannot be reached",
            where=first,
            expected=f"mean Delta E 2000 of at most {wanted.max_residual:g}",
            got=f"{fit.after.mean:.2f}",
            fix="Light it evenly and with one kind of light, or use a flat field",
        )
    part = ChartFit(
        chart=chart.name,
        corners=tuple((float(x), float(y)) for x, y in found[0].corners),
        fixed=wanted.corners is not None,
        model=fit.model,
        matrix=tuple(tuple(row) for row in fit.matrix.tolist()),
        patches=tuple((r, g, b) for r, g, b in linear.tolist()),
        clipped=clipped,
        before=fit.before,
        after=fit.after,
        left_out=fit.left_out,
    )
    return part, found[0], fit


def _chart_now(
    part: ChartFit, frame: UInt8Array, maps: Maps, gains: Float64Array | None, photo: Path
) -> tuple[Residual, Residual]:
    if part.chart not in CHARTS:
        raise InputError(f"unknown chart {part.chart!r}", expected=", ".join(CHARTS))
    chart = CHARTS[part.chart]
    corners = np.array(part.corners) if part.fixed else None
    measured = _measured(frame, maps, corners, chart, photo)
    out = np.array(part.clipped) | np.array(measured.clipped)
    matrix = np.array(part.matrix)
    now = measured.linear if gains is None else measured.linear * gains
    off = np.where(out, np.nan, differences_of(now, chart, matrix, part.model))
    seen, then = (
        linear_to_lab(np.clip(terms(light, part.model) @ matrix.T, 0.0, None))
        for light in (now, np.array(part.patches))
    )
    return residual_of(off), residual_of(np.where(out, np.nan, delta_e_2000(seen, then)))


def _measured(
    frame: UInt8Array, maps: Maps | None, corners: Float64Array | None, chart: Chart, photo: Path
) -> Measured:
    where = find_chart(frame, where=photo) if corners is None else corners
    light = corrected_light(frame, maps or Maps(None, None)).astype(np.float64)
    measured = measure_chart(frame, light, where, chart, where=photo)
    if corners is None and _shows_another(frame, light, where, chart, photo):
        raise ImageError(
            "two colour charts in the picture",
            where=photo,
            expected="one",
            fix="Cover the other, or give the --corners of the one that is meant",
        )
    return measured


def _shows_another(
    frame: UInt8Array, light: Float64Array, corners: Float64Array, chart: Chart, photo: Path
) -> bool:
    """Whether a photograph shows a whole chart beside the one between ``corners``."""
    covered = frame.copy()
    cv2.fillConvexPoly(covered, np.rint(corners).astype(np.int32), (128, 128, 128))
    try:
        measure_chart(frame, light, find_chart(covered, where=photo), chart, where=photo)
    except ImageError:
        return False
    return True


def _white(frame: UInt8Array, box: Box, maps: Maps | None, photo: Path) -> Float64Array:
    try:
        return white_light(frame, box, maps or Maps(None, None))
    except Refusal as refusal:
        raise ImageError(refusal.detail, where=photo) from refusal


def _fitting(frame: UInt8Array, maps: Maps | None, photo: Path) -> UInt8Array:
    for map_ in (maps.dark, maps.gain) if maps is not None else ():
        if map_ is not None and map_.shape != frame.shape:
            raise ImageError(
                "not of the size of the dark and flat-field frames",
                where=photo,
                expected=f"{map_.shape[1]}x{map_.shape[0]}",
                got=f"{frame.shape[1]}x{frame.shape[0]}",
            )
    return frame


def _common_size(frames: Mapping[Path, UInt8Array], maps: Maps | None) -> tuple[int, int]:
    """Return width and height of all photographs, pixels. Raises: ImageError where one has another."""
    shapes = [frame.shape for frame in frames.values()]
    shapes += [map_.shape for map_ in (maps.dark, maps.gain) if map_ is not None] if maps is not None else []
    height, width = shapes[0][:2]
    for photo, frame in frames.items():
        _demand_size(frame, (width, height), photo)
    return width, height


def _demand_size(frame: UInt8Array, size: tuple[int, int], photo: Path) -> None:
    if (frame.shape[1], frame.shape[0]) != size:
        raise ImageError(
            "not of the size of the calibration's photographs",
            where=photo,
            expected="{}x{}".format(*size),
            got=f"{frame.shape[1]}x{frame.shape[0]}",
        )


def _unsaved(maps: Maps) -> FieldMaps:
    """What stands in a calibration until its maps are written."""
    shape = next(m.shape for m in (maps.dark, maps.gain) if m is not None)
    return FieldMaps(
        file="unsaved.npz",
        sha256="0" * 64,
        width=shape[1],
        height=shape[0],
        dark=maps.dark is not None,
        flat=maps.gain is not None,
    )
