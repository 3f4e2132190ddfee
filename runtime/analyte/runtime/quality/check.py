"""Figures against the limits of a profile."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analyte.contract.arrays import UInt8Array
from analyte.contract.reading import Flag, Reason
from analyte.contract.sections.quality import Limits
from analyte.runtime.quality.figures import FIGURES, FigureName, Look
from analyte.runtime.quality.protocol import Verdict
from analyte.runtime.regions.protocol import Site


@dataclass(frozen=True, slots=True)
class Finding:
    """A figure beyond one of its limits."""

    view: int
    """Index of the view that it is of."""
    figure: float
    limit: float | None
    """The limit that it goes beyond; None where the figure is no number."""
    bound: str
    """What the limit is, in words."""
    refused: bool


class LimitCheck:
    """Measures the figures that have limits. Remembers the cut-outs of the frame before.

    Of a site that is refused for anything but motion it keeps the frame before that: a good picture that
    follows a blurred or a dark one has not moved.
    """

    def __init__(self, limits: Mapping[FigureName, Limits], *, light_level: float = 1.0) -> None:
        """``light_level``: level of the surround where the light's ratio is 1, 0 to 1."""
        self._limits: dict[FigureName, Limits] = {name: limits[name] for name in FIGURES if name in limits}
        self._light_level = light_level
        self._before: dict[tuple[str, ...], UInt8Array] = {}

    def examine(
        self, frame: UInt8Array, sites: Sequence[Site], pictures: UInt8Array, views: Sequence[str]
    ) -> list[Verdict]:
        """Return the verdict of each site; see `QualityCheck`."""
        before = self._before.get(tuple(views))
        verdicts: list[Verdict] = []
        for at, site in enumerate(sites):
            looks = [
                Look(
                    frame,
                    site.boxes.get(view),
                    pictures[at, slot],
                    None if before is None else before[at, slot],
                    site.coverage,
                    self._light_level,
                )
                for slot, view in enumerate(views)
            ]
            verdicts.append(self._verdict(looks, views))
        if "motion" in self._limits:
            # A copy: the pipeline cuts the next frame into the same buffer.
            remembered = pictures.copy()
            for at, verdict in enumerate(verdicts):
                # What moved is remembered: a specimen that was exchanged is refused once, not for ever.
                if before is not None and verdict.reason not in (None, Reason.MOTION):
                    remembered[at] = before[at]
            self._before[tuple(views)] = remembered
        return verdicts

    def _verdict(self, looks: Sequence[Look], views: Sequence[str]) -> Verdict:
        figures: dict[str, float] = {}
        findings: list[tuple[FigureName, Finding]] = []
        for name, limits in self._limits.items():
            measure = FIGURES[name]
            seen = [(figure, at) for at, look in enumerate(looks) if (figure := measure(look)) is not None]
            if not seen:
                continue
            figures[name], finding = compare(limits, seen)
            if finding is not None:
                findings.append((name, finding))
        return _verdict_of(figures, findings, views) if findings else Verdict(figures)


def compare(limits: Limits, seen: Sequence[tuple[float, int]]) -> tuple[float, Finding | None]:
    """Hold a figure of one site against its limits: the lowest and the highest of its views.

    ``seen``: figures, each with the index of its view. Returns: the figure that matters most, and what is
    wrong with it. NaN is wrong in any case.
    """
    low, high = (seen[0], seen[0]) if len(seen) == 1 else (min(seen), max(seen))
    for figure, at in seen:
        if math.isnan(figure):
            return figure, Finding(at, figure, None, "", refused=True)
    if limits.refuse_below is not None and low[0] < limits.refuse_below:
        return low[0], Finding(low[1], low[0], limits.refuse_below, "at least", refused=True)
    if limits.refuse_above is not None and high[0] > limits.refuse_above:
        return high[0], Finding(high[1], high[0], limits.refuse_above, "at most", refused=True)
    if limits.flag_below is not None and low[0] < limits.flag_below:
        return low[0], Finding(low[1], low[0], limits.flag_below, "at least", refused=False)
    if limits.flag_above is not None and high[0] > limits.flag_above:
        return high[0], Finding(high[1], high[0], limits.flag_above, "at most", refused=False)
    watched_low = limits.refuse_below is not None or limits.flag_below is not None
    return (low if watched_low else high)[0], None


def _verdict_of(
    figures: Mapping[str, float], findings: Sequence[tuple[FigureName, Finding]], views: Sequence[str]
) -> Verdict:
    return Verdict(
        figures,
        tuple(Flag(name) for name, finding in findings if not finding.refused),
        next((Reason(name) for name, finding in findings if finding.refused), None),
        "; ".join(_in_words(name, finding, views) for name, finding in findings),
    )


def _in_words(name: FigureName, finding: Finding, views: Sequence[str]) -> str:
    what = f"{name} in view {views[finding.view]}" if len(views) > 1 else name
    limit, figure = finding.limit, finding.figure
    if limit is None:
        cause = "the picture before is black" if name == "motion" else "the picture has one colour"
        return f"expected a {what} that can be told; {cause}"
    # As many digits as it takes to tell them apart.
    digits = next(n for n in range(3, 18) if f"{limit:.{n}g}" != f"{figure:.{n}g}")
    return f"expected {what} of {finding.bound} {limit:.{digits}g}; got {figure:.{digits}g}"
