"""Checks of exposure: colour that the camera cut off cannot be read from the picture any more."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analyte.train.inspection.finding import Finding
from analyte.train.inspection.inspection import Inspection, finding
from analyte.train.inspection.survey import BLACK, DARK, WHITE, Survey

CLIPPED_SHARE = 0.05
"""Share of pixels with a channel at the end of its scale from which a picture counts as clipped."""
_CLIPPED_PICTURES = 0.1
"""Share of the pictures of a view, or of a session, that are clipped from which the finding is a warning."""
_BRIGHT = 245
"""Mean of the darkest channel, 0 to 255, above which a picture is too bright."""
_DIM = 64
"""Level that the brightest hundredth of a picture does not reach where it is too dark: two stops under."""


def over_exposed(survey: Survey) -> npt.NDArray[np.bool_]:
    """Return ``[N, V]``: whether a view is over-exposed."""
    too_bright = survey.mean_rgb.min(axis=2) > _BRIGHT
    found: npt.NDArray[np.bool_] = (survey.white.max(axis=2) >= CLIPPED_SHARE) | too_bright
    return found & survey.usable[:, np.newaxis]


def under_exposed(survey: Survey) -> npt.NDArray[np.bool_]:
    """Return ``[N, V]``: whether a view is under-exposed. A black background alone is not."""
    too_dark = survey.peak < _DIM
    found: npt.NDArray[np.bool_] = (survey.cut.max(axis=2) >= CLIPPED_SHARE) | too_dark
    return found & survey.usable[:, np.newaxis]


def check_exposure(inspection: Inspection) -> list[Finding]:
    """Over- and under-exposed pictures, with the views and sessions in which they are frequent."""
    survey = inspection.survey
    over = (
        f"{CLIPPED_SHARE:.0%} or more of the region at {WHITE} to 255 in a channel, or a mean above "
        f"{_BRIGHT}",
        "Shorten the exposure, or move the region off highlights",
    )
    under = (
        f"{CLIPPED_SHARE:.0%} or more of the region at 0 to {BLACK} in a channel while another is above "
        f"{DARK}, or nothing brighter than {_DIM}",
        "Lengthen the exposure, or check the white balance",
    )
    return [
        *_report(inspection, "over-exposed", over_exposed(survey), *over),
        *_report(inspection, "under-exposed", under_exposed(survey), *under),
    ]


def _report(
    inspection: Inspection, code: str, clipped: npt.NDArray[np.bool_], limit: str, fix: str
) -> list[Finding]:
    """``clipped``: ``[N, V]``."""
    if not clipped.any():
        return []
    total = int(inspection.survey.usable.sum())
    details: list[str] = []
    frequent = False
    for position, view in enumerate(inspection.dataset.spec.views):
        found = int(clipped[:, position].sum())
        if not found:
            continue
        frequent |= found >= _CLIPPED_PICTURES * total
        details.append(f"view {view}: {found} of {total}")
        for name, indices in (inspection.sessions() or {}).items():
            within = int(clipped[indices, position].sum())
            if within and within >= _CLIPPED_PICTURES * len(indices):
                frequent = True
                details.append(f"view {view}, session {name}: {within} of {len(indices)}")
    return [
        finding(
            code,
            "warning" if frequent else "note",
            f"{int(clipped.sum())} of {clipped.shape[1] * total} pictures are {code} ({limit})",
            fix,
            at=inspection.where(np.asarray(clipped.any(axis=1), np.bool_)),
            details=details,
        )
    ]
