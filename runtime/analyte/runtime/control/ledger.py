"""What is true now, rebuilt from the audit trail: it survives restarts, and cannot be altered unseen."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from analyte.contract.event import Event
from analyte.contract.sections.control import MaterialSection
from analyte.runtime.control.events import (
    MEASURED,
    RECALIBRATED,
    RELEASED,
    UNDONE,
    ControlRecord,
    RecalibrationRecord,
    VersionRecord,
    read_record,
    time_of,
)
from analyte.runtime.store.protocol import StoredEvent, Trail

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Control:
    """A control that was measured, with its place in the trail."""

    sequence: int
    at: datetime
    who: str
    record: ControlRecord


@dataclass(frozen=True, slots=True)
class Mark:
    """What began the series of controls anew."""

    sequence: int
    at: datetime
    event: Event


class Ledger:
    """The state of quality control. For one thread at a time."""

    def __init__(self, trail: Trail) -> None:
        self._trail = trail
        self._read_up_to = 0
        self.controls: list[Control] = []
        """All of them, oldest first."""
        self.marks: list[Mark] = []
        """Releases and changes of the recalibration, oldest first."""
        self.lock: Control | None = None
        """The first failed control that locked the device and was not released since."""
        self.versions = 0
        """How many recalibrations were ever made."""
        self.newest_bundle = ""
        """Id of the bundle of the newest control or recalibration; empty before the first."""
        self._stack: list[RecalibrationRecord] = []
        self._by_name: dict[str, list[Control]] = {}
        self._recalibrated_at = 0

    def refresh(self) -> None:
        """Replay what came into the trail since, up to the first event that cannot be understood.

        Raises: IntegrityError for such an event; what `Trail.events` raises.
        """
        while page := self._trail.events(after=self._read_up_to, limit=_PAGE):
            for stored in page:
                apply = _APPLY.get(stored.event.what)
                if apply is not None:
                    apply(self, stored)
                self._read_up_to = stored.sequence

    @property
    def newest_recalibration(self) -> RecalibrationRecord | None:
        """The one in force, where it is for the bundle that runs."""
        return self._stack[-1] if self._stack else None

    def recalibration_of(self, bundle: str) -> RecalibrationRecord | None:
        """Return the recalibration that holds for a bundle, by its id: the newest, if made for it."""
        newest = self.newest_recalibration
        return newest if newest is not None and newest.bundle == bundle else None

    def series(self, materials: tuple[MaterialSection, ...], bundle: str) -> list[Control]:
        """Return the controls that the rules look at: of the lots, targets and bundle in use, since the last
        release or change of the recalibration."""
        start = self.marks[-1].sequence if self.marks else 0
        recent = itertools.takewhile(lambda one: one.sequence > start, reversed(self.controls))
        known = {material.name: material for material in materials}
        found = [
            one
            for one in recent
            if one.record.bundle == bundle
            and (material := known.get(one.record.material)) is not None
            and one.record.is_of(material)
        ]
        return found[::-1]

    def of_material(self, material: MaterialSection) -> Iterator[Control]:
        """Yield the controls of a material, newest first: of this lot, target and s, with any bundle."""
        return (one for one in reversed(self._by_name.get(material.name, [])) if one.record.is_of(material))

    def newest(self, material: MaterialSection, bundle: str) -> Control | None:
        """Return the newest control of a material with a bundle, passed or not."""
        return next((one for one in self.of_material(material) if one.record.bundle == bundle), None)

    def last_passed(self, material: MaterialSection, bundle: str) -> Control | None:
        """Return the newest control of a material that did not fail, since the recalibration changed."""
        for one in self.of_material(material):
            if one.sequence < self._recalibrated_at:
                return None
            if one.record.bundle == bundle and one.record.outcome != "failed":
                return one
        return None

    def _measured(self, stored: StoredEvent) -> None:
        record = read_record(ControlRecord, stored, stored.event.new)
        control = Control(stored.sequence, time_of(stored), stored.event.who, record)
        self.controls.append(control)
        self._by_name.setdefault(record.material, []).append(control)
        self.newest_bundle = record.bundle
        if record.lock_out and self.lock is None:
            self.lock = control

    def _released(self, stored: StoredEvent) -> None:
        self._mark(stored)
        self.lock = None

    def _recalibrated(self, stored: StoredEvent) -> None:
        record = read_record(RecalibrationRecord, stored, stored.event.new)
        self._mark(stored)
        self._stack.append(record)
        self.newest_bundle = record.bundle
        self.versions += 1
        self._recalibrated_at = stored.sequence

    def _undone(self, stored: StoredEvent) -> None:
        taken_back = read_record(VersionRecord, stored, stored.event.old)
        self._mark(stored)
        # Two people may undo the same version at once: that is one step back, not two.
        if self._stack and self._stack[-1].version == taken_back.version:
            self._stack.pop()
        self._recalibrated_at = stored.sequence

    def _mark(self, stored: StoredEvent) -> None:
        self.marks.append(Mark(stored.sequence, time_of(stored), stored.event))

    @property
    def previous_version(self) -> str:
        """Version that an undoing brings back; empty: none."""
        return self._stack[-2].version if len(self._stack) > 1 else ""


_APPLY: dict[str, Callable[[Ledger, StoredEvent], None]] = {
    MEASURED: Ledger._measured,
    RELEASED: Ledger._released,
    RECALIBRATED: Ledger._recalibrated,
    UNDONE: Ledger._undone,
}
