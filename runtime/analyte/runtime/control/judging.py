"""What the rules and the drift chart of a profile say of a control."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analyte.contract.sections.control import ControlSection
from analyte.runtime.control.drift import drift_of
from analyte.runtime.control.events import Outcome
from analyte.runtime.control.westgard import Point, broken_rules


@dataclass(frozen=True, slots=True)
class Judged:
    """The outcome of the newest control."""

    outcome: Outcome
    broken: tuple[str, ...]
    """What it breaks, for people."""
    rules: tuple[str, ...]
    """Names of the same."""


def judge_control(points: Sequence[Point], section: ControlSection) -> Judged:
    """Judge the last of ``points``, which are those since the series began, oldest first.

    Raises: ValueError without points.
    """
    rejecting = broken_rules(points, section.reject, run_h=section.run_h)
    warning = broken_rules(points, section.warn, run_h=section.run_h)
    found = [*rejecting, *warning]
    broken, rules = [str(one) for one in found], [str(one.rule) for one in found]
    fails, warns = bool(rejecting), bool(warning)
    if section.drift is not None:
        own = [point.z for point in points if point.material == points[-1].material]
        state = drift_of(own, section.drift)
        if state.alarm:
            method = section.drift.method
            broken.append(f"{method} ({state.shift:+.2f} s, limit {state.limit:.2f} s)")
            rules.append(method)
            fails = fails or section.drift.action == "reject"
            warns = warns or section.drift.action == "warn"
    outcome: Outcome = "failed" if fails else "warning" if warns else "accepted"
    return Judged(outcome, tuple(broken), tuple(rules))
