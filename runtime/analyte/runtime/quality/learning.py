"""Limits learned from photographs that are known to be good."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from analyte.contract.arrays import Float64Array
from analyte.contract.errors import InputError, SettingsError
from analyte.contract.sections.quality import LightLimits, Limits
from analyte.runtime.quality.check import Finding, compare
from analyte.runtime.quality.figures import FigureName

FEWEST = 20
"""Good photographs that limits may be learned from."""
_MARGIN = 0.15
"""Share of its distance from the median by which a limit is moved out: tomorrow differs from today. Added to
two standard errors of a standard deviation's estimate from N values, 1 / sqrt(2 N) each."""
_REFUSE_AT = 1.5
"""How much farther from the median a refusal lies than a flag."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a figure goes wrong."""

    below: bool
    above: bool
    ratio: bool
    """Whether it varies by factors: distances are then those of logarithms."""
    step: float
    """Least distance of a flag from the median, so that no limit rests on a few pixels or on rounding."""
    most: float = math.inf
    """Greatest value that the figure can have."""


_KINDS: Mapping[FigureName, _Kind] = {
    "exposure": _Kind(below=True, above=True, ratio=True, step=0.05, most=1.0),
    "light": _Kind(below=True, above=True, ratio=True, step=0.05),
    "clipped": _Kind(below=False, above=True, ratio=False, step=0.005, most=1.0),
    "focus": _Kind(below=True, above=False, ratio=True, step=0.05),
    "glare": _Kind(below=False, above=True, ratio=False, step=0.005, most=1.0),
}
"""What single photographs tell. Motion takes two frames of one scene, coverage one that is not good."""
LEARNED: tuple[FigureName, ...] = tuple(_KINDS)
RATIOS: frozenset[FigureName] = frozenset(name for name, kind in _KINDS.items() if kind.ratio)
"""Those that vary by factors: a photograph of which one is 0 tells nothing of how far they vary."""


@dataclass(frozen=True, slots=True)
class Learned:
    """Limits of one figure, in its unit, and the good photographs that they rest on."""

    name: FigureName
    lows: Float64Array
    """Lowest of each photograph's views, ``[N]``."""
    highs: Float64Array
    """Highest of each photograph's views, ``[N]``."""
    limits: Limits

    def finding(self, at: int) -> Finding | None:
        """Return what the limits say of a photograph, by its index; None where it lies within them."""
        return compare(self.limits, [(float(self.lows[at]), 0), (float(self.highs[at]), 0)])[1]

    def worst(self, at: int) -> tuple[float, float]:
        """Return the figure of a photograph, by its index, and how far out it lies: 1 at a flag's limit."""
        kind = _KINDS[self.name]
        sides = ((self.lows, self.limits.flag_below), (self.highs, self.limits.flag_above))
        found: list[tuple[float, float]] = []
        for figures, limit in sides:
            if limit is not None:
                line = _line(figures, kind)
                middle, end = float(np.median(line)), float(_line(np.array(limit), kind))
                found.append((float((line[at] - middle) / (end - middle)), float(figures[at])))
        distance, figure = max(found)
        return figure, distance


def learn(figures: Mapping[FigureName, Float64Array], *, false_alarms: float) -> list[Learned]:
    """Return limits by which at most ``false_alarms`` of good photographs, 0 to 1, are flagged in all.

    ``figures``: by name, ``[N, V]`` for N photographs with V views, finite, `RATIOS` above 0; light as a
    level, 0 to 1. The share is divided evenly among the limits. Each lies where its share of the photographs
    is beyond it; where they are too few to tell, the distance of the outermost from the median is stretched
    as a normal distribution's tail would be. A margin is added, the wider the fewer they are. A refusal lies
    half as far again from the median.
    Raises: InputError for fewer than 20 photographs; SettingsError for a share that is none.
    """
    if not 0 < false_alarms < 0.5:
        raise SettingsError("not a share of false alarms", expected="above 0 and below 0.5", got=false_alarms)
    count = min(map(len, figures.values()), default=0)
    if count < FEWEST:
        raise InputError(
            "too few good photographs to learn limits from",
            expected=f"at least {FEWEST}",
            got=count,
            fix="Take more as the device will take them: of every value, in every light that it may meet",
        )
    kinds: dict[FigureName, _Kind] = {name: kind for name, kind in _KINDS.items() if name in figures}
    share = false_alarms / sum(kind.below + kind.above for kind in kinds.values())
    return [_learn_one(name, kind, figures[name], share) for name, kind in kinds.items()]


def _learn_one(name: FigureName, kind: _Kind, figures: Float64Array, share: float) -> Learned:
    level = _rounded(float(np.median(figures))) if name == "light" else None
    scaled = figures if level is None else figures / level
    lows, highs = scaled.min(axis=1), scaled.max(axis=1)
    limits: dict[str, float] = {}
    for wanted, side, outermost in ((kind.below, "below", lows), (kind.above, "above", highs)):
        if not wanted:
            continue
        middle, distance = _tail(_line(outermost, kind), share, kind, below=side == "below")
        for verb, factor in (("flag", 1.0), ("refuse", _REFUSE_AT)):
            end = middle + factor * distance
            limit = _rounded(math.exp(end) if kind.ratio else end)
            if limit < kind.most:
                limits[f"{verb}_{side}"] = limit
    form = Limits if level is None else LightLimits
    return Learned(name, lows, highs, form.model_validate(limits | ({"level": level} if level else {})))


def _tail(line: Float64Array, share: float, kind: _Kind, *, below: bool) -> tuple[float, float]:
    """Return the median and the distance, with its sign, of the point that ``share`` lies beyond."""
    sign = -1.0 if below else 1.0
    told = max(share, 1 / (len(line) + 1))
    middle = float(np.median(line))
    end = float(np.quantile(line, told if below else 1 - told))
    normal = NormalDist()
    stretched = abs(end - middle) * normal.inv_cdf(share) / normal.inv_cdf(told)
    least = math.log1p(kind.step) if kind.ratio else kind.step
    margin = _MARGIN + math.sqrt(2 / len(line))
    return middle, sign * max((1 + margin) * stretched, least)


def _line(figures: Float64Array, kind: _Kind) -> Float64Array:
    """Return figures on the scale on which distances are compared."""
    return np.log(figures) if kind.ratio else figures


def _rounded(number: float) -> float:
    return float(f"{number:.3g}")
