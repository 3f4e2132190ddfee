"""Checks of sessions: light that is unlike the others', and values that can be told without the colour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from analyte.contract.arrays import Float64Array
from analyte.train.inspection.association import PER_KIND, share_explained, share_predicted
from analyte.train.inspection.finding import Finding, shown
from analyte.train.inspection.inspection import Inspection, finding

REFERENCE_VIEW = "reference"
"""The view that shows no analyte: what colours are taken relative to."""
_LEAST_SESSIONS = 5
_LEAST_PICTURES = 3
_ROBUST_DEVIATIONS = 5.0
"""Robust standard deviations (1.4826 times the median absolute deviation) from the median of the sessions."""
_LEAST_BRIGHTNESS = 0.25
"""Natural logarithm: 0.25 is 28 % brighter, or 22 % darker."""
_LEAST_COLOUR = 0.15
"""The same of the ratio of a channel to the mean of all: 16 %."""
_CONFOUNDED = 0.3
"""Share of the variance of the values that what should say nothing about them may explain."""


def check_light(inspection: Inspection) -> list[Finding]:
    """Sessions that are brighter, darker or of another tint than the others, the value allowed for."""
    survey = inspection.survey
    sessions = {
        name: kept
        for name, indices in (inspection.sessions() or {}).items()
        if len(kept := indices[survey.usable[indices]]) >= _LEAST_PICTURES
    }
    if len(sessions) < _LEAST_SESSIONS:
        return []
    findings: list[Finding] = []
    for position, view in enumerate(inspection.dataset.spec.views):
        left = _light_left(
            np.log(survey.mean_rgb[:, position] + 1.0), inspection.values, list(sessions.values())
        )
        names = list(sessions)
        unlike = [names[index] for index in np.flatnonzero(_outliers(left))]
        if unlike:
            concerned = np.zeros(len(inspection.samples), np.bool_)
            concerned[np.concatenate([sessions[name] for name in unlike])] = True
            findings.append(
                finding(
                    "session-unlike-others",
                    "warning",
                    f"{len(unlike)} of {len(sessions)} sessions have light unlike the others in view "
                    f"{view!r} (over {_ROBUST_DEVIATIONS:g} robust standard deviations of the sessions, "
                    f"and over {100 * np.expm1(_LEAST_BRIGHTNESS):.0f} % in brightness or "
                    f"{100 * np.expm1(_LEAST_COLOUR):.0f} % in tint, the value allowed for)",
                    "Check exposure, white balance and lamp of these sessions; keep them only if the "
                    "device will see such light",
                    at=inspection.where(concerned),
                    details=[_described(name, left[names.index(name)], left) for name in unlike],
                )
            )
    return findings


def _light_left(
    logarithm: Float64Array, values: Float64Array, sessions: Sequence[npt.NDArray[np.intp]]
) -> Float64Array:
    """Return by session what the value does not explain of the mean logarithmic colour, ``[sessions, 3]``."""
    chosen = np.concatenate(sessions)
    centred = values[chosen] - values[chosen].mean()
    scaled = centred / max(float(np.abs(centred).max()), 1e-300)
    session = np.repeat(np.arange(len(sessions)), [len(indices) for indices in sessions])
    # Slopes from within sessions, so that a session of other values is not taken for one of other light.
    terms = np.concatenate([np.stack([scaled, scaled**2], axis=1), np.eye(len(sessions))[session]], axis=1)
    coefficients = np.linalg.lstsq(terms, logarithm[chosen], rcond=1e-9)[0]
    return np.asarray(coefficients[2:], np.float64)


def _outliers(left: Float64Array) -> npt.NDArray[np.bool_]:
    """Return which sessions stand out; ``left``: ``[sessions, 3]``, natural logarithm."""
    brightness = left.mean(axis=1, keepdims=True)
    out = np.zeros(len(left), np.bool_)
    for quantity, least in ((brightness, _LEAST_BRIGHTNESS), (left - brightness, _LEAST_COLOUR)):
        from_median = np.abs(quantity - np.median(quantity, axis=0))
        spread = 1.4826 * np.median(from_median, axis=0)
        out |= ((from_median > _ROBUST_DEVIATIONS * spread) & (from_median > least)).any(axis=1)
    return out


def _described(name: str, own: Float64Array, left: Float64Array) -> str:
    percent = 100 * np.expm1(own - np.median(left, axis=0))
    return f"{name}: " + " ".join(f"{channel} {p:+.0f} %" for channel, p in zip("RGB", percent, strict=True))


def check_confounding(inspection: Inspection) -> list[Finding]:
    """Values that can be told from the session, from the size of the file, or from the reference view."""
    findings: list[Finding] = []
    sessions = inspection.sessions()
    if sessions is not None:
        share = share_explained([sample.session for sample in inspection.samples], inspection.values)
        if share > _CONFOUNDED:
            findings.append(_of_sessions(inspection, sessions, share))
    survey = inspection.survey
    for position, view in enumerate(inspection.dataset.spec.views):
        chosen = survey.usable
        sizes = [f"{w}x{h}" for w, h in survey.picture_px[chosen, position]]
        share = share_explained(sizes, inspection.values[chosen])
        if len(sizes) >= PER_KIND * len(set(sizes)) and share > _CONFOUNDED:
            findings.append(_of_sizes(inspection, view, sizes, share))
        if view == REFERENCE_VIEW:
            findings += _of_reference(inspection, position)
    return findings


def _of_sessions(inspection: Inspection, sessions: dict[str, npt.NDArray[np.intp]], share: float) -> Finding:
    values = inspection.values
    return finding(
        "value-by-session",
        "warning",
        f"the session alone tells {share:.0%} of the variance of the values (their ranks): a network may "
        "learn the session's light in place of the colour, and errors within these sessions would not "
        "show it",
        "Measure every value in every session; look at the errors of sessions left out as a whole",
        details=[
            f"{name}: {shown(values[i].min())} to {shown(values[i].max())} {inspection.unit} ({len(i)})"
            for name, i in sessions.items()
        ],
    )


def _of_sizes(inspection: Inspection, view: str, sizes: list[str], share: float) -> Finding:
    values = inspection.values[inspection.survey.usable]
    kinds = np.asarray(sizes)
    details = [
        f"{name} px: {shown(values[kinds == name].min())} to {shown(values[kinds == name].max())} "
        f"{inspection.unit} ({n})"
        for name, n in Counter(sizes).most_common()
    ]
    return finding(
        "value-by-picture-size",
        "warning",
        f"the size of the file alone tells {share:.0%} of the variance of the values (their ranks) in view "
        f"{view!r}: cameras or set-ups were not the same for all values, and a network may learn the "
        "set-up in place of the colour",
        "Photograph all values with every camera or set-up",
        details=details,
    )


def _of_reference(inspection: Inspection, position: int) -> list[Finding]:
    """Whether the colour of the reference view predicts the value in sessions that were left out."""
    usable = inspection.survey.usable
    values = inspection.values[usable]
    groups = np.asarray([sample.session for sample in inspection.samples], np.str_)[usable]
    share = share_predicted(np.log(inspection.survey.mean_rgb[usable, position] + 1.0), values, groups)
    if share <= _CONFOUNDED:
        return []
    return [
        finding(
            "value-by-reference",
            "warning",
            f"the colour of the reference view alone tells {share:.0%} of the variance of the values in "
            "sessions left out, although it shows no analyte: light or exposure changes with the value",
            "Lock exposure and white balance; photograph values in random order; check that the reference "
            "region is not reached by the reaction",
        )
    ]
