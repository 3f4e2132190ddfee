"""Standards that the running daemon measures, one by one, and the recalibration made of them.

The audit trail keeps every one: a recalibration is made of what was measured, never of what a page sent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta

from analyte.contract.errors import InputError, SettingsError
from analyte.contract.event import Role
from analyte.contract.label import Finite, LabelSpec
from analyte.contract.numbers import number
from analyte.contract.reading import Reading
from analyte.runtime.control.events import (
    RecalibrationRecord,
    StandardRecord,
    new_event,
    read_record,
    time_of,
)
from analyte.runtime.control.people import demand
from analyte.runtime.control.quality_control import QualityControl, utc_now
from analyte.runtime.control.recalibration import Method, Standard
from analyte.runtime.store.protocol import StoredEvent, Trail

STANDARD = "standard.measured"
KEPT = timedelta(hours=24)
"""What was measured longer ago does not show how the device reads now."""
_CLOCK_TOLERANCE = timedelta(minutes=1)
_PAGE = 1000


class MeasuredRecord(StandardRecord):
    """A standard that was measured, as the trail keeps it."""

    value: Finite
    """What the device said then, corrected by the recalibration in force; label's unit."""
    unit: str
    id: str
    """Id of the reading."""
    captured_at: str
    frame_sha256: str
    artifact: str
    bundle: str
    """Bundle id."""
    recalibration: str
    """Version that was in force; empty where none was."""


@dataclass(frozen=True, slots=True)
class MeasuredStandard:
    """A standard of the trail."""

    at: datetime
    who: str
    record: MeasuredRecord

    @property
    def standard(self) -> Standard:
        """What a correction is fitted to."""
        return Standard(self.record.known, self.record.reading, self.record.sigma)


class Standards:
    """Measures standards, and recalibrates from them. May be used by several threads."""

    def __init__(
        self,
        control: QualityControl,
        trail: Trail,
        label: Callable[[], LabelSpec],
        *,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """``label``: returns that of the bundle that runs."""
        self._control = control
        self._trail = trail
        self._label = label
        self._now = now

    def expect(self, known: float, who: str, role: Role, *, site: str = "") -> Future[MeasuredRecord]:
        """Take the next reading as that of a standard; see `QualityControl.expect_reading`.

        ``known``: its value, label's unit. Raises: RoleError; InputError for one outside the calibrated
        range, or while another reading is waited for.
        """
        demand(role, Role.OPERATOR, "measuring a standard")
        label = self._label()
        if not (math.isfinite(known) and label.low <= known <= label.high):
            raise InputError(
                "a standard lies outside the calibrated range",
                expected=f"{label.low:g} to {label.high:g} {label.unit}",
                got=f"{known:g}",
            )
        what = f"a standard of {known:g} {label.unit}"
        return self._control.expect_reading(what, site, lambda one: self._measured(known, one, who, role))

    def newest(self) -> list[MeasuredStandard]:
        """Return the standards of the last `KEPT` with the bundle that runs, oldest first.

        Raises: IntegrityError for an event that cannot be understood.
        """
        now, found = self._now(), []
        for stored in self._stored():
            one = MeasuredStandard(
                time_of(stored), stored.event.who, read_record(MeasuredRecord, stored, stored.event.new)
            )
            if one.record.bundle == self._control.bundle and now - KEPT <= one.at <= now + _CLOCK_TOLERANCE:
                found.append(one)
        return found

    def recalibrate(
        self, method: Method, ids: Sequence[str], who: str, role: Role, why: str, *, weighted: bool = False
    ) -> RecalibrationRecord:
        """Recalibrate from measured standards, by the ids of their readings.

        Raises: SettingsError for an id that is not among `newest`; what `QualityControl.recalibrate` raises.
        """
        known = {one.record.id: one.standard for one in self.newest()}
        missing = [id for id in ids if id not in known]
        if missing:
            raise SettingsError(
                "a standard was not measured with this bundle in the last 24 hours",
                got=missing[0],
                fix="Measure it again",
            )
        chosen = [known[id] for id in dict.fromkeys(ids)]
        return self._control.recalibrate(method, chosen, self._label(), who, role, why, weighted=weighted)

    def _measured(self, known: float, reading: Reading, who: str, role: Role) -> MeasuredRecord:
        raw = self._control.standard_of(known, reading)
        assert reading.value is not None  # standard_of refuses one without
        record = MeasuredRecord(
            known=known,
            reading=raw.reading,
            sigma=raw.sigma,
            value=reading.value,
            unit=reading.unit,
            id=reading.id,
            captured_at=reading.captured_at,
            frame_sha256=reading.frame_sha256,
            artifact=reading.artifact,
            bundle=reading.bundle,
            recalibration=reading.recalibration,
        )
        self._trail.add(new_event(STANDARD, self._now(), who, role, new=record.model_dump(mode="json")))
        return record

    def _stored(self) -> list[StoredEvent]:
        found: list[StoredEvent] = []
        while page := self._trail.events(STANDARD, after=found[-1].sequence if found else 0, limit=_PAGE):
            found += page
        return found


def summary(record: RecalibrationRecord) -> str:
    """Return a recalibration in one line, for people."""
    line, unit = record.correction, record.unit
    sign = "-" if line.intercept < 0 else "+"
    return (
        f"version {record.version}: {line.slope:.4g} x reading {sign} {number(abs(line.intercept))} {unit}; "
        f"farthest standard {number(record.largest_residual)} {unit} off"
    )
