"""Writing ``report.html``: one file, nothing from elsewhere, every text from users escaped."""

from __future__ import annotations

import base64
import os
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from analyte.contract.numbers import coverage_percent, number, percent
from analyte.contract.output import from_os_error
from analyte.contract.verdict import Verdict
from analyte.train.report import analysis, figures
from analyte.train.report.contents import Readings, ReportInputs
from analyte.train.report.svg import Drawing

TEMPLATE = "report.html.j2"
_WORST = 12
_THUMBNAIL = 128
"""Largest edge of a thumbnail, pixels."""


@dataclass(frozen=True, slots=True)
class WorstPicture:
    """A sample as the report shows it; numbers in words, label's unit."""

    sample_id: str
    session: str
    pictures: tuple[str, ...]
    """One PNG data URI per view."""
    true: str
    predicted: str
    interval: str
    baseline: str
    error: str
    inside: bool
    """Whether the true value lies in the interval."""


@dataclass(frozen=True, slots=True)
class ForeignSection:
    """How far the readings lie from the training pictures, and the limit for foreign ones."""

    sentence: str
    figure: Drawing
    table: analysis.Table


def write_report(inputs: ReportInputs, path: Path) -> Verdict:
    """Write the report and return its verdict; a file at ``path`` is replaced only when all is well.

    Raises: OutputError when it cannot be written.
    """
    verdict = analysis.verdict(inputs.readings, inputs.record.label.unit)
    text = render_report(inputs, verdict)
    path = path.absolute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            # mkstemp makes files private; a report is readable as any other file of the user.
            mask = os.umask(0)
            os.umask(mask)
            Path(draft).chmod(0o666 & ~mask)
            Path(draft).replace(path)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise from_os_error(error, path) from error
    return verdict


def render_report(inputs: ReportInputs, verdict: Verdict) -> str:
    """Return the report as HTML."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"number": number, "percent": percent, "moment": moment}
    environment.filters["coverage_percent"] = coverage_percent
    readings, label = inputs.readings, inputs.record.label
    return environment.get_template(TEMPLATE).render(
        inputs=inputs,
        record=inputs.record,
        label=label,
        verdict=verdict,
        verdict_detail=analysis.verdict_detail(verdict.comparison, label.unit),
        cross_validation=analysis.fold_sentence(inputs.record.folds, label.unit),
        spread_levels=figures.has_levels(readings.true),
        n=len(readings.true),
        tables={
            "data": analysis.data_table(inputs.data, label.unit),
            "overall": analysis.overall_table(readings, label.unit),
            "levels": analysis.level_table(readings, label.unit),
            "sessions": analysis.session_table(readings, label.unit),
            "folds": analysis.fold_table(inputs.record.folds, label.unit),
            "merit": analysis.merit_table(readings, label.unit),
            "coverage": analysis.coverage_table(readings),
            "rotation": analysis.rotation_table(inputs.rotation, label) if inputs.rotation else None,
        },
        coverage=analysis.coverage_sentence(readings, label.unit),
        figures={
            "learning": figures.learning_curve(inputs.history, inputs.record.best_epoch, label.unit),
            "predicted": figures.predicted_against_true(readings, label),
            "residuals": figures.residuals_against_true(readings, label.unit),
            "sessions": figures.residuals_by_session(readings, label.unit),
            "agreement": figures.bland_altman(readings, label.unit),
            "rotation": figures.rotation_polar(inputs.rotation, label) if inputs.rotation else None,
        },
        foreign=foreign_section(inputs),
        worst=worst_pictures(readings),
    )


def moment(text: str) -> str:
    """Return an ISO 8601 time in UTC for readers: ``2026-11-22 07:53 UTC``."""
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def foreign_section(inputs: ReportInputs) -> ForeignSection | None:
    """Return how the readings fare with the limit for foreign pictures; None where the run has none."""
    calibration, distances = inputs.record.foreign, inputs.readings.distances
    if calibration is None or distances is None:
        return None
    return ForeignSection(
        sentence=analysis.foreign_sentence(distances, calibration),
        figure=figures.distance_histogram(distances, calibration.limit),
        table=analysis.foreign_table(distances, calibration.limit, inputs.readings.sessions),
    )


def worst_pictures(readings: Readings) -> tuple[WorstPicture, ...]:
    """Return the samples with the largest errors of the network, the worst first."""
    error = readings.predicted - readings.true
    inside = analysis.within(readings)
    order = np.argsort(-np.abs(error), kind="stable")[:_WORST]
    return tuple(
        WorstPicture(
            sample_id=readings.sample_ids[i],
            session=readings.sessions[i],
            pictures=tuple(png_data_uri(picture) for picture in readings.pictures[i]),
            true=number(float(readings.true[i])),
            predicted=number(float(readings.predicted[i])),
            interval=f"{number(float(readings.lower[i]))} to {number(float(readings.upper[i]))}",
            baseline=number(float(readings.baseline[i])),
            error=number(float(error[i])),
            inside=bool(inside[i]),
        )
        for i in order.tolist()
    )


def png_data_uri(picture: npt.NDArray[Any]) -> str:
    """Return uint8 ``[S, S, 3]``, RGB, as a PNG in a data URI, made smaller where it is large."""
    edge = max(picture.shape[:2])
    if edge > _THUMBNAIL:
        picture = cv2.resize(
            picture, None, fx=_THUMBNAIL / edge, fy=_THUMBNAIL / edge, interpolation=cv2.INTER_AREA
        )
    _, png = cv2.imencode(".png", picture[:, :, ::-1])
    return f"data:image/png;base64,{base64.b64encode(png.tobytes()).decode()}"
