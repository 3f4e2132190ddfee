"""What keeps a device from giving readings: a control that failed, or one that is due."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from analyte.contract.reading import Reading, Reason
from analyte.contract.sections.control import ControlSection, MaterialSection
from analyte.runtime.control.ledger import Ledger

_CLOCK_TOLERANCE = timedelta(minutes=1)
"""A control that lies farther in the future shows that the clock was set back: its age is not known."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why readings are refused."""

    reason: Reason
    detail: str


def obstacle(ledger: Ledger, section: ControlSection, bundle: str, now: datetime) -> Obstacle | None:
    """Return what stands in the way of readings of a bundle, by its id; None where nothing does."""
    lock = ledger.lock
    if lock is not None:
        what = (
            f"control {lock.record.material!r} failed at {_minute(lock.at)}: {', '.join(lock.record.broken)}"
        )
        return Obstacle(Reason.CONTROL_FAILED, f"expected a release by a person; {what}")
    due = [text for one in section.materials if (text := due_text(ledger, section, one, bundle, now))]
    return Obstacle(Reason.CONTROL_DUE, "; ".join(due)) if due else None


def due_text(
    ledger: Ledger, section: ControlSection, material: MaterialSection, bundle: str, now: datetime
) -> str:
    """Return why a control of ``material`` is due; empty where it is not."""
    if section.interval_h is None:
        return ""
    last = ledger.last_passed(material, bundle)
    wanted = f"expected a control {material.name!r} that passed within {section.interval_h:g} h"
    if last is None:
        return f"{wanted}; got none with this lot, bundle and recalibration"
    if last.at > now + _CLOCK_TOLERANCE:
        return f"{wanted}; got one in the future, {_minute(last.at)}: the clock was set back"
    if now - last.at > timedelta(hours=section.interval_h):
        return f"{wanted}; got the last one at {_minute(last.at)}"
    return ""


def withheld(reading: Reading, found: Obstacle | None) -> Reading:
    """Return a reading without its value where there is an obstacle; a refused one keeps its own reason."""
    if found is None or reading.refused:
        return reading
    return replace(
        reading,
        value=None,
        lower=None,
        upper=None,
        sigma=None,
        spread=None,
        flags=(),
        refused=True,
        reason=found.reason,
        detail=found.detail,
    )


def _minute(at: datetime) -> str:
    return at.isoformat(timespec="minutes")
