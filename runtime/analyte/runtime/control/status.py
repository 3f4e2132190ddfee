"""What holds now, for people and programs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from analyte.contract.reading import Reason
from analyte.contract.sections.control import ControlSection, MaterialSection
from analyte.runtime.control.drift import drift_of
from analyte.runtime.control.events import RecalibrationRecord
from analyte.runtime.control.ledger import Control, Ledger
from analyte.runtime.control.lockout import due_text, obstacle


@dataclass(frozen=True, slots=True)
class MaterialStatus:
    """Where one material stands."""

    material: MaterialSection
    last: Control | None
    """Its newest control, passed or not, of this lot and with this bundle."""
    due_at: datetime | None
    """When the next one is due; None where never, or now."""
    due: str
    """Why it is due now; empty where it is not."""
    expired: bool
    drift: float | None
    """Where its drift chart stands, in s; None without a chart, or without controls since it began."""

    def to_json(self) -> dict[str, Any]:
        """Return JSON types."""
        return {
            "name": self.material.name,
            "lot": self.material.lot,
            "target": self.material.target,
            "s": self.material.s,
            "expires": None if self.material.expires is None else self.material.expires.isoformat(),
            "expired": self.expired,
            "last": None if self.last is None else control_json(self.last),
            "due_at": None if self.due_at is None else self.due_at.isoformat(timespec="seconds"),
            "due": self.due,
            "drift": self.drift,
        }


@dataclass(frozen=True, slots=True)
class Status:
    """The whole device."""

    admitted: bool
    """Whether readings are given."""
    reason: Reason | None
    """Why they are not."""
    detail: str
    lock: Control | None
    """The failed control that has to be released."""
    materials: tuple[MaterialStatus, ...]
    recalibration: RecalibrationRecord | None
    """The one in force."""
    remark: str
    """That a recalibration is there but does not hold for this bundle; else empty."""
    bundle: str

    def to_json(self) -> dict[str, Any]:
        """Return JSON types."""
        return {
            "admitted": self.admitted,
            "reason": None if self.reason is None else str(self.reason),
            "detail": self.detail,
            "lock": None if self.lock is None else control_json(self.lock),
            "materials": [material.to_json() for material in self.materials],
            "recalibration": None
            if self.recalibration is None
            else self.recalibration.model_dump(mode="json"),
            "remark": self.remark,
            "bundle": self.bundle,
        }


def status_of(
    ledger: Ledger, section: ControlSection, bundle: str, now: datetime, remark: str = ""
) -> Status:
    """Return the status of a device that runs a bundle, by its id."""
    found = obstacle(ledger, section, bundle, now)
    return Status(
        admitted=found is None,
        reason=None if found is None else found.reason,
        detail="" if found is None else found.detail,
        lock=ledger.lock,
        materials=tuple(_material(ledger, section, one, bundle, now) for one in section.materials),
        recalibration=ledger.recalibration_of(bundle),
        remark=remark,
        bundle=bundle,
    )


def _material(
    ledger: Ledger, section: ControlSection, material: MaterialSection, bundle: str, now: datetime
) -> MaterialStatus:
    due = due_text(ledger, section, material, bundle, now)
    passed = ledger.last_passed(material, bundle)
    due_at = None
    if section.interval_h is not None and passed is not None and not due:
        due_at = passed.at + timedelta(hours=section.interval_h)
    return MaterialStatus(
        material=material,
        last=ledger.newest(material, bundle),
        due_at=due_at,
        due=due,
        expired=material.expires is not None and now.date() > material.expires,
        drift=_drift(ledger, section, material, bundle),
    )


def _drift(ledger: Ledger, section: ControlSection, material: MaterialSection, bundle: str) -> float | None:
    own = [
        one.record.z
        for one in ledger.series(section.materials, bundle)
        if one.record.material == material.name
    ]
    return drift_of(own, section.drift).shift if section.drift is not None and own else None


def control_json(control: Control) -> dict[str, Any]:
    """Return a control and when and by whom it was measured, JSON types."""
    return {
        "sequence": control.sequence,
        "at": control.at.isoformat(timespec="microseconds"),
        "who": control.who,
        **control.record.model_dump(mode="json"),
    }
