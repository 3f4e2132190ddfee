"""What the rules and the drift chart of a profile say of a control, and what is kept of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from analyte.contract.reading import Reading
from analyte.contract.sections.control import ControlSection, MaterialSection
from analyte.runtime.control.drift import drift_of
from analyte.runtime.control.events import ControlRecord, Outcome
from analyte.runtime.control.ledger import Control
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


def control_record(
    material: MaterialSection,
    reading: Reading,
    value: float,
    at: datetime,
    series: Sequence[Control],
    section: ControlSection,
) -> ControlRecord:
    """Judge a control of ``value`` (label's unit) measured after ``series``; return what is kept of it."""
    z = (value - material.target) / material.s
    before = [Point(one.record.material, one.record.z, _hours(one.at)) for one in series]
    judged = judge_control([*before, Point(material.name, z, _hours(at))], section)
    return ControlRecord(
        material=material.name,
        lot=material.lot,
        target=material.target,
        s=material.s,
        value=value,
        sigma=reading.sigma,
        unit=reading.unit,
        z=z,
        outcome=judged.outcome,
        broken=judged.broken,
        rules=judged.rules,
        lock_out=judged.outcome == "failed" and section.lock_out,
        reading=reading.id,
        captured_at=reading.captured_at,
        frame_sha256=reading.frame_sha256,
        artifact=reading.artifact,
        bundle=reading.bundle,
        recalibration=reading.recalibration,
    )


def _hours(at: datetime) -> float:
    return at.timestamp() / 3600.0
