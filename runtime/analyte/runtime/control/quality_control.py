"""Quality control of one device: the one class that the daemon, the web page and the command line talk to."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any, TypeVar

from analyte.contract.errors import InputError, SettingsError
from analyte.contract.event import Event, JsonValue, Role
from analyte.contract.label import LabelSpec
from analyte.contract.reading import Reading
from analyte.contract.sections.control import ControlSection, MaterialSection
from analyte.runtime.control.events import (
    MEASURED,
    NOT_MEASURED,
    RECALIBRATED,
    RELEASED,
    UNDONE,
    ControlRecord,
    RecalibrationRecord,
    new_event,
    recalibration_record,
)
from analyte.runtime.control.judging import control_record
from analyte.runtime.control.ledger import Ledger
from analyte.runtime.control.levey_jennings import draw
from analyte.runtime.control.lockout import obstacle, withheld
from analyte.runtime.control.people import demand, plain_text, required_reason
from analyte.runtime.control.recalibration import Method, Standard, fit
from analyte.runtime.control.request import ReadingRequest
from analyte.runtime.control.status import Status, status_of
from analyte.runtime.store.protocol import Trail

T = TypeVar("T")


def utc_now() -> datetime:
    """Return the time, UTC."""
    return datetime.now(UTC)


class QualityControl:
    """Controls, lock-out and recalibration of a device that runs one bundle. May be used by several threads.

    Another process may write into the same trail: every method but `correction` and `version` looks first.
    """

    def __init__(
        self,
        trail: Trail,
        section: ControlSection,
        bundle: str,
        *,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """``bundle``: id of the one that runs; empty: that of the newest control or recalibration.

        Raises: IntegrityError for a trail that cannot be understood.
        """
        self._trail = trail
        self._section = section
        self._given_bundle = bundle
        self._now = now
        self._ledger = Ledger(trail)
        self._lock = threading.RLock()
        self._request: ReadingRequest[Any] | None = None
        self.refresh()

    @property
    def bundle(self) -> str:
        """Id of the bundle that runs; empty where nobody knows."""
        return self._given_bundle or self._ledger.newest_bundle

    def refresh(self) -> None:
        """Take in what another process wrote. Raises: IntegrityError."""
        with self._lock:
            self._ledger.refresh()

    def recalibration(self) -> RecalibrationRecord | None:
        """Return the recalibration that holds for the bundle, as of the last refresh."""
        with self._lock:
            return self._ledger.recalibration_of(self.bundle)

    def recalibration_of(self, bundle: str) -> RecalibrationRecord | None:
        """Return the recalibration that would hold for another bundle, as of the last refresh."""
        with self._lock:
            return self._ledger.recalibration_of(bundle)

    def switch(self, bundle: str) -> None:
        """Take notice that another bundle runs from now on; controls of the one before do not count."""
        with self._lock:
            self._given_bundle = bundle

    def invalid_recalibration(self) -> str:
        """Return in words that the newest recalibration is for another bundle; empty where it is not."""
        with self._lock:
            newest = self._ledger.newest_recalibration
            if newest is None or not self.bundle or newest.bundle == self.bundle:
                return ""
            return (
                f"recalibration {newest.version} was made for bundle {newest.bundle[:12]} and does not hold "
                f"for bundle {self.bundle[:12]}: readings are not corrected"
            )

    def status(self) -> Status:
        """Return what holds now. Raises: IntegrityError."""
        with self._lock:
            self.refresh()
            return status_of(
                self._ledger, self._section, self.bundle, self._now(), self.invalid_recalibration()
            )

    @property
    def asked_s(self) -> float:
        """Since when a reading is waited for, on `time.monotonic`'s clock, seconds; -inf where none is."""
        request = self._request
        return -math.inf if request is None or request.answer.cancelled() else request.asked_s

    def admitted(self, readings: Sequence[Reading], began_s: float = math.inf) -> list[Reading]:
        """Return readings as they may be given: without a value while a control failed or is due.

        One that answers `expect` is a control's, and no longer among them.
        ``began_s``: when the first frame was taken, on `time.monotonic`'s clock, seconds: one that was taken
        before somebody asked answers nothing. inf: just now.
        Raises: IntegrityError; what `Trail.add` raises.
        """
        with self._lock:
            self.refresh()
            request, left = self._request, list(readings)
            if request is not None and began_s >= request.asked_s:
                self._request = None
                left = request.fulfil(readings)
            now = self._now()
            # By the bundle that made a reading, for another may run since.
            found = {
                bundle: obstacle(self._ledger, self._section, bundle, now)
                for bundle in {reading.bundle for reading in left}
            }
            return [withheld(reading, found[reading.bundle]) for reading in left]

    def expect(self, material: str, who: str, role: Role, *, site: str = "") -> Future[ControlRecord | None]:
        """Take the next reading that `admitted` is given as a control; for a daemon that holds the camera.

        ``site``: well that holds it, where a frame gives several readings.
        Returns: what `measured` will return or raise; cancel it to take the request back.
        Raises: RoleError; InputError for a material that may not be measured, or while another is waited for.
        """
        demand(role, Role.OPERATOR, "measuring a control")
        self.material(material)
        return self.expect_reading(
            f"control {material!r}", site, lambda reading: self.measured(material, reading, who, role)
        )

    def expect_reading(self, what: str, site: str, take: Callable[[Reading], T]) -> Future[T]:
        """Give the next reading of a well that `admitted` is given to ``take``, and to nobody else.

        ``what``: what is to be measured, for people. ``site``: empty where a frame gives one reading.
        Returns: what ``take`` will return or raise. Raises: InputError while another is waited for.
        """
        request = ReadingRequest(what, site, take)
        with self._lock:
            if self._request is not None and not self._request.answer.cancelled():
                raise InputError(f"{self._request.what} is waited for already", fix="Wait for it")
            self._request = request
        return request.answer

    def material(self, name: str) -> MaterialSection:
        """Return a material that may be measured today.

        Raises: InputError for one that the profile does not name, or that has expired.
        """
        found = next((one for one in self._section.materials if one.name == name), None)
        if found is None:
            raise InputError(
                f"the profile has no control material {name!r}",
                expected=" or ".join(one.name for one in self._section.materials) or "[[control.materials]]",
                fix="Name it under [[control.materials]] with target and s",
            )
        if found.expires is not None and self._now().date() > found.expires:
            raise InputError(
                f"control material {name!r} has expired",
                expected=f"a day until {found.expires}",
                got=self._now().date(),
                fix="Take a new lot, and write its target, s, lot and expires into the profile",
            )
        return found

    def measured(self, material: str, reading: Reading, who: str, role: Role) -> ControlRecord | None:
        """Keep and judge a control; None where the reading gives no value, which counts as not measured.

        Raises: InputError for a material that may not be measured or a reading of another bundle or
        recalibration; RoleError; what `Trail.add` raises.
        """
        if role is not Role.DEVICE:
            demand(role, Role.OPERATOR, "measuring a control")
        with self._lock:
            self.refresh()
            found = self.material(material)
            self._refuse_foreign(reading)
            if reading.refused or reading.value is None:
                self._add(
                    new_event(
                        NOT_MEASURED,
                        self._now(),
                        who,
                        role,
                        new={
                            "material": material,
                            "reading": reading.id,
                            "reason": None if reading.reason is None else str(reading.reason),
                            "detail": reading.detail,
                            "bundle": reading.bundle,
                        },
                    )
                )
                return None
            at = self._now()
            held = self._ledger.recalibration_of(self.bundle)
            if reading.recalibration != ("" if held is None else held.version):
                raise InputError("a control is measured with the recalibration in force", fix="Measure again")
            series = self._ledger.series(self._section.materials, self.bundle)
            record = control_record(found, reading, reading.value, at, series, self._section)
            self._add(new_event(MEASURED, at, who, role, new=record.model_dump(mode="json")))
            return record

    def release(self, who: str, role: Role, why: str) -> None:
        """Let readings go on after a failed control, for a reason.

        Raises: RoleError; InputError without a reason, or where nothing is locked.
        """
        demand(role, Role(self._section.release_role), "releasing a lock-out")
        reason = required_reason(why)
        with self._lock:
            self.refresh()
            lock = self._ledger.lock
            if lock is None:
                raise InputError("nothing is locked, so nothing is released")
            broken: list[JsonValue] = [*lock.record.broken]
            old: JsonValue = {
                "sequence": lock.sequence,
                "material": lock.record.material,
                "broken": broken,
            }
            self._add(new_event(RELEASED, self._now(), who, role, why=reason, old=old))

    def recalibrate(
        self,
        method: Method,
        standards: Sequence[Standard],
        label: LabelSpec,
        who: str,
        role: Role,
        why: str = "",
        *,
        weighted: bool = False,
    ) -> RecalibrationRecord:
        """Fit a correction to standards and put it in force; controls are due anew.

        ``standards``: from `standard_of`. Raises: RoleError; InputError where they give no correction.
        """
        demand(role, Role.SUPERVISOR, "a recalibration")
        reason = plain_text(why)
        found = fit(standards, method, label, max_residual=self._section.max_residual, weighted=weighted)
        with self._lock:
            self.refresh()
            before = self._ledger.newest_recalibration
            record = recalibration_record(
                found, version=str(self._ledger.versions + 1), bundle=self.bundle, unit=label.unit
            )
            self._add(
                new_event(
                    RECALIBRATED,
                    self._now(),
                    who,
                    role,
                    why=reason,
                    old={"version": "" if before is None else before.version},
                    new=record.model_dump(mode="json"),
                )
            )
            return record

    def undo(self, who: str, role: Role, why: str) -> str:
        """Take the newest recalibration back; the one before holds again. Controls are due anew.

        Returns: its version, empty where there is none. Raises: RoleError; InputError without a reason, or
        where there is nothing to take back.
        """
        demand(role, Role.SUPERVISOR, "undoing a recalibration")
        reason = required_reason(why)
        with self._lock:
            self.refresh()
            newest = self._ledger.newest_recalibration
            if newest is None:
                raise InputError("there is no recalibration to undo")
            previous = self._ledger.previous_version
            self._add(
                new_event(
                    UNDONE,
                    self._now(),
                    who,
                    role,
                    why=reason,
                    old={"version": newest.version},
                    new={"version": previous},
                )
            )
            return previous

    def standard_of(self, known: float, reading: Reading) -> Standard:
        """Return a standard of known value (label's unit) and its reading, any correction taken back.

        Raises: InputError where the reading has no value, or another bundle's or recalibration's.
        """
        with self._lock:
            self.refresh()
            self._refuse_foreign(reading)
            if reading.refused or reading.value is None or reading.sigma is None:
                raise InputError(
                    f"the standard of {known:g} {reading.unit} gave no value",
                    where=reading.source,
                    got=reading.reason or "less than the limit of detection",
                    fix=reading.detail or None,
                )
            held = self._ledger.recalibration_of(self.bundle)
            if reading.recalibration == "" or held is None:
                return Standard(known, reading.value, reading.sigma)
            raw = held.correction.correction().undone(reading.value, reading.sigma)
            return Standard(known, *raw)

    def history(self) -> list[Event]:
        """Return every release and every change of the recalibration, oldest first."""
        with self._lock:
            self.refresh()
            return [mark.event for mark in self._ledger.marks]

    def chart(self, material: str | None = None, *, last: int = 60) -> str:
        """Return the Levey-Jennings chart of one material or of all, as SVG; ``last``: controls of each.

        Raises: InputError for a material that the profile does not name; SettingsError where it names none.
        """
        with self._lock:
            self.refresh()
            chosen = [one for one in self._section.materials if material in (None, one.name)]
            if not self._section.materials:
                raise SettingsError(
                    "the profile names no control material", fix="See docs/quality_control.md"
                )
            if not chosen:
                raise InputError(
                    f"the profile has no control material {material!r}",
                    expected=" or ".join(one.name for one in self._section.materials),
                )
            series = {
                one.name: list(itertools.islice(self._ledger.of_material(one), last))[::-1] for one in chosen
            }
            return draw(chosen, series, self._ledger.marks)

    def _refuse_foreign(self, reading: Reading) -> None:
        held = self._ledger.recalibration_of(reading.bundle)
        version = "" if held is None else held.version
        if reading.bundle != self.bundle or reading.recalibration not in ("", version):
            raise InputError(
                "the reading was made with another bundle or recalibration than the one in force",
                expected=f"bundle {self.bundle[:12]}, recalibration {version or 'none'}",
                got=f"bundle {reading.bundle[:12]}, recalibration {reading.recalibration or 'none'}",
                fix="Measure again",
            )

    def _add(self, event: Event) -> None:
        self._trail.add(event)
        self.refresh()
