"""Checks of the picture files: whether each can be read, and whether they are of one kind."""

from __future__ import annotations

from collections import Counter

import numpy as np

from analyte.train.inspection.finding import Finding, count, relative
from analyte.train.inspection.inspection import Inspection, finding

_UPRIGHT = 1
_SHAPE_SPREAD = 1.25
"""Largest over smallest ratio of width to height of a view from which squares are stretched unequally."""


def check_readable(inspection: Inspection) -> list[Finding]:
    """Pictures that are damaged, have no usable layout, or do not contain their region."""
    unusable = inspection.survey.unusable
    if not unusable:
        return []
    root = inspection.dataset.root
    return [
        finding(
            "unreadable-picture",
            "error",
            f"{count(len(unusable), 'picture')} cannot be used",
            "Copy or take the picture again, or correct its region; or take its rows out",
            at=inspection.where([entry.sample for entry in unusable]),
            details=[
                (f"row {entry.view.row}: " if entry.view.row else "")
                + entry.reason.replace(str(entry.view.path), relative(entry.view.path, root))
                for entry in unusable
            ],
        )
    ]


def check_grey(inspection: Inspection) -> list[Finding]:
    """Grey pictures where others are in colour."""
    findings: list[Finding] = []
    survey = inspection.survey
    for position, view in enumerate(inspection.dataset.spec.views):
        grey = survey.grey[:, position] & survey.usable
        if grey.any() and not grey[survey.usable].all():
            findings.append(
                finding(
                    "grey-among-colour",
                    "warning",
                    f"{int(grey.sum())} of {int(survey.usable.sum())} pictures of view {view!r} are grey, "
                    "the others in colour",
                    "Take them again in colour, or take them out",
                    at=inspection.where(grey),
                )
            )
    return findings


def check_size(inspection: Inspection) -> list[Finding]:
    """Pictures, or regions, that would be enlarged for the network."""
    survey = inspection.survey
    shorter = survey.region_px.min(axis=2)
    small = (shorter < survey.network_px).any(axis=1) & survey.usable
    if not small.any():
        return []
    least = int(shorter[small].min())
    return [
        finding(
            "smaller-than-network",
            "note",
            f"{count(int(small.sum()), 'sample')} with a picture or region smaller than the network's "
            f"picture of {survey.network_px} px (down to {least} px): enlarging adds cost and no detail",
            f"Train with --size {max(8, least // 8 * 8)} or so, or take closer pictures",
            at=inspection.where(small),
        )
    ]


def check_shape(inspection: Inspection) -> list[Finding]:
    """Regions of different proportions, which are all stretched to a square."""
    survey = inspection.survey
    details: list[str] = []
    for position, view in enumerate(inspection.dataset.spec.views):
        width, height = survey.region_px[survey.usable, position].T
        ratio = width / height
        if ratio.size and ratio.max() > _SHAPE_SPREAD * ratio.min():
            details.append(f"view {view}: {ratio.min():.2f} to {ratio.max():.2f} times as wide as high")
    if not details:
        return []
    return [
        finding(
            "mixed-shapes",
            "note",
            "pictures differ in shape and all become squares: the same thing is stretched differently "
            "from picture to picture",
            "Cut regions of one shape (columns x, y, w, h) where shapes in the picture matter",
            details=details,
        )
    ]


def check_orientation(inspection: Inspection) -> list[Finding]:
    """EXIF orientation, which moves regions that were measured on the unturned picture."""
    survey = inspection.survey
    turned = (survey.orientation != _UPRIGHT) & survey.usable[:, np.newaxis]
    if not turned.any():
        return []
    regions = np.asarray(
        [[view.region is not None for view in sample.views] for sample in inspection.samples]
    )
    concerned = turned & regions
    found = Counter(survey.orientation[turned].tolist())
    kinds = ", ".join(f"{n} with orientation {value}" for value, n in sorted(found.items()))
    if concerned.any():
        return [
            finding(
                "exif-orientation",
                "warning",
                f"{int(concerned.sum())} pictures with regions carry an EXIF orientation ({kinds}): they "
                "are turned before x, y, w, h are applied",
                "Check that the regions were measured on the upright picture, or save the pictures upright",
                at=inspection.where(concerned.any(axis=1)),
            )
        ]
    return [
        finding(
            "exif-orientation",
            "note",
            f"{int(turned.sum())} pictures carry an EXIF orientation ({kinds}): they are turned upright "
            "when read",
            "Nothing, unless another program that reads them does not turn them",
            at=inspection.where(turned.any(axis=1)),
        )
    ]
