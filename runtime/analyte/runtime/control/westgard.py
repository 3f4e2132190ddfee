"""The rules that tell a control sample that went wrong from one that merely scatters.

Westgard JO, Barry PL, Hunt MR, Groth T, A multi-rule Shewhart chart for quality control in clinical
chemistry, Clin Chem 1981;27:493-501; CLSI C24, 4th ed. 2016. A value lies beyond a limit only where it
exceeds it: one at exactly 2 s breaks nothing. Each rule looks at the newest control and those before it,
so that a control is blamed once, when it comes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from analyte.contract.sections.control import RuleName

Scope = Literal["within", "across"]
"""Within the series of one material, or across those of all."""


@dataclass(frozen=True, slots=True)
class Point:
    """One control value as the rules see it."""

    material: str
    z: float
    """Distance from the target in units of s, (value - target) / s; finite."""
    hours: float
    """When, in hours since any fixed time; for what belongs to one run."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that the newest control breaks."""

    rule: RuleName
    scope: Scope
    z: tuple[float, ...]
    """Of the controls that break it together, oldest first."""

    def __str__(self) -> str:
        values = ", ".join(f"{z:+.2f}" for z in self.z)
        where = " across materials" if self.scope == "across" else ""
        return f"{self.rule}{where} ({values} s)"


def broken_rules(points: Sequence[Point], rules: Sequence[RuleName], *, run_h: float) -> list[Broken]:
    """Return which of ``rules`` the last of ``points`` breaks, in the order of ``rules``.

    ``points``: controls since the series began, oldest first, of all materials in the order in which they
    were measured. ``run_h``: those within so many hours of the last belong to its run.
    Raises: ValueError without points.
    """
    if not points:
        raise ValueError("expected at least one control")
    newest = points[-1]
    own = [point for point in points if point.material == newest.material]
    # What one material shows by itself is told as its own.
    scopes: tuple[tuple[Scope, Sequence[Point]], ...] = (("within", own), ("across", points))
    found: list[Broken] = []
    for rule in rules:
        for scope, series in scopes:
            if z := _CHECKS[rule](series, run_h):
                found.append(Broken(rule, scope, tuple(z)))
                break
    return found


def _beyond(count: int, limit: float) -> Callable[[Sequence[Point], float], list[float]]:
    """Return the rule that the last ``count`` controls lie beyond ``limit`` s, all on the same side."""

    def check(series: Sequence[Point], run_h: float) -> list[float]:
        last = [point.z for point in series[-count:]]
        if len(last) == count and (all(z > limit for z in last) or all(z < -limit for z in last)):
            return last
        return []

    return check


def _beyond_either(limit: float) -> Callable[[Sequence[Point], float], list[float]]:
    def check(series: Sequence[Point], run_h: float) -> list[float]:
        return [series[-1].z] if abs(series[-1].z) > limit else []

    return check


def _range(series: Sequence[Point], run_h: float) -> list[float]:
    """R-4s: of one run, the newest lies beyond 2 s and another one beyond 2 s on the other side."""
    newest = series[-1]
    if abs(newest.z) <= 2:
        return []
    for point in reversed(series[:-1]):
        same_run = abs(newest.hours - point.hours) <= run_h
        if same_run and abs(point.z) > 2 and (point.z > 0) != (newest.z > 0):
            return [point.z, newest.z]
    return []


_CHECKS: dict[RuleName, Callable[[Sequence[Point], float], list[float]]] = {
    "1-2s": _beyond_either(2.0),
    "1-3s": _beyond_either(3.0),
    "2-2s": _beyond(2, 2.0),
    "R-4s": _range,
    "4-1s": _beyond(4, 1.0),
    "10x": _beyond(10, 0.0),
}
