"""An audit trail that forgets when it goes, and readings to control a device with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from analyte.contract.event import Event
from analyte.contract.label import LabelSpec
from analyte.contract.reading import Reading, Reason
from analyte.contract.sections.control import ControlSection
from analyte.runtime.control.quality_control import QualityControl
from analyte.runtime.store.protocol import StoredEvent
from runtime.store.readings import reading

BUNDLE = reading(0).bundle
LABEL = LabelSpec(analyte="dye", unit="µg/mL", range=(0.0, 100.0))
SECTION = ControlSection.model_validate(
    {
        "materials": [{"name": "low", "target": 20.0, "s": 1.0}, {"name": "high", "target": 80.0, "s": 2.0}],
        "interval_h": 24.0,
    }
)


class MemoryTrail:
    """A trail in memory."""

    def __init__(self) -> None:
        self.stored: list[StoredEvent] = []

    def add(self, event: Event) -> None:
        event.to_json()  # as a trail on disk would
        self.stored.append(StoredEvent(len(self.stored) + 1, event))

    def events(self, what: str = "", *, after: int = 0, limit: int = 1000) -> Sequence[StoredEvent]:
        found = [one for one in self.stored if one.sequence > after and one.event.what.startswith(what)]
        return found[:limit]

    @property
    def whats(self) -> list[str]:
        return [one.event.what for one in self.stored]


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 1, 8, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def wait(self, hours: float) -> None:
        self.time += timedelta(hours=hours)


class Device:
    """A quality control over a trail in memory; every control comes two hours after the one before."""

    def __init__(self, section: ControlSection = SECTION, bundle: str = BUNDLE) -> None:
        self.trail, self.clock, self.section = MemoryTrail(), Clock(), section
        self.control = self.opened(bundle)

    def opened(self, bundle: str = BUNDLE) -> QualityControl:
        """Open it anew, as after a restart."""
        return QualityControl(self.trail, self.section, bundle, now=self.clock)


def read(value: float, **more: object) -> Reading:
    """Return a good reading."""
    given = replace(reading(1), value=value, lower=value - 1.0, upper=value + 1.0)
    return replace(given, **more)  # type: ignore[arg-type]


def refused() -> Reading:
    return replace(reading(1, refused=True), reason=Reason.FOCUS, detail="expected focus")
