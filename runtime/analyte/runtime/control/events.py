"""What quality control writes into the audit trail, and how it is read back.

The trail is the only memory: what holds now is what its events, replayed in their order, say.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from analyte.contract.errors import IntegrityError
from analyte.contract.event import Event, JsonValue, Role
from analyte.contract.label import Finite
from analyte.contract.sections.control import MaterialSection
from analyte.contract.validation import in_words
from analyte.runtime.control.recalibration import Correction, Fit, Method
from analyte.runtime.store.protocol import StoredEvent

MEASURED = "control.measured"
NOT_MEASURED = "control.not_measured"
RELEASED = "lockout.released"
RECALIBRATED = "recalibration.made"
UNDONE = "recalibration.undone"

R = TypeVar("R", bound="Record")

Outcome = Literal["accepted", "warning", "failed"]


class Record(BaseModel):
    """The ``old`` or ``new`` of an event. A later version may add keys."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class ControlRecord(Record):
    """A control that gave a value, and what the rules said of it then."""

    material: str
    lot: str
    target: Finite
    """Label's unit, as are ``s``, ``value`` and ``sigma``."""
    s: Finite = Field(gt=0)
    value: Finite
    sigma: Finite | None
    unit: str
    z: Finite
    """(value - target) / s."""
    outcome: Outcome
    broken: tuple[str, ...]
    """Rules and drift charts that it broke, for people: ``2-2s (+2.10, +2.30 s)``."""
    rules: tuple[str, ...]
    """The same for programs: ``2-2s``, ``cusum``, …"""
    lock_out: bool
    """Whether it stops the readings."""
    reading: str
    """Id of the reading."""
    captured_at: str
    frame_sha256: str
    artifact: str
    """As in the reading."""
    bundle: str
    """Bundle id."""
    recalibration: str
    """Version that was in force; empty where none was."""

    def is_of(self, material: MaterialSection) -> bool:
        """Whether it belongs to the series of ``material`` as the profile has it now."""
        return (self.material, self.lot, self.target, self.s) == (
            material.name,
            material.lot,
            material.target,
            material.s,
        )


class CorrectionRecord(Record):
    """A `Correction`, as JSON."""

    slope: Finite = Field(gt=0)
    intercept: Finite
    slope_se: Finite = Field(ge=0)
    intercept_se: Finite = Field(ge=0)
    centre: Finite
    centre_se: Finite = Field(ge=0)

    def correction(self) -> Correction:
        """Return what readings are corrected by."""
        return Correction(**self.model_dump())


class StandardRecord(Record):
    """A standard, as JSON; label's unit."""

    known: Finite
    reading: Finite
    sigma: Finite


class RecalibrationRecord(Record):
    """A version of the recalibration."""

    version: str = Field(min_length=1)
    """``1``, ``2``, … in the order in which they were made; never used twice."""
    bundle: str
    """Id of the only bundle that it holds for."""
    unit: str
    method: Method
    weighted: bool
    correction: CorrectionRecord
    residual_sd: Finite | None
    """Label's unit."""
    largest_residual: Finite
    """Label's unit."""
    standards: tuple[StandardRecord, ...]


class VersionRecord(Record):
    """Which version of the recalibration holds; empty: none."""

    version: str


def recalibration_record(fit: Fit, *, version: str, bundle: str, unit: str) -> RecalibrationRecord:
    """Return a fit as it is kept."""
    line = fit.correction
    return RecalibrationRecord(
        version=version,
        bundle=bundle,
        unit=unit,
        method=fit.method,
        weighted=fit.weighted,
        correction=CorrectionRecord(**{name: getattr(line, name) for name in CorrectionRecord.model_fields}),
        residual_sd=fit.residual_sd,
        largest_residual=fit.largest_residual,
        standards=tuple(
            StandardRecord(known=one.known, reading=one.reading, sigma=one.sigma) for one in fit.standards
        ),
    )


def new_event(
    what: str,
    at: datetime,
    who: str,
    role: Role,
    *,
    why: str = "",
    old: JsonValue = None,
    new: JsonValue = None,
) -> Event:
    """Return an event with an id of its own; ``at``: UTC."""
    return Event(at.isoformat(timespec="microseconds"), who, role, what, why, old, new, str(uuid.uuid4()))


def read_record(kind: type[R], stored: StoredEvent, said: JsonValue) -> R:
    """Return what an event says by ``said``, its ``old`` or ``new``.

    Raises: IntegrityError where that is not what this version understands.
    """
    try:
        return kind.model_validate(said)
    except ValidationError as error:
        raise _not_understood(stored, in_words(error)) from error


def time_of(stored: StoredEvent) -> datetime:
    """Return when an event took place, with its zone. Raises: IntegrityError where it does not say."""
    try:
        at = datetime.fromisoformat(stored.event.at)
    except ValueError as error:
        raise _not_understood(stored, str(error)) from error
    if at.tzinfo is None:
        raise _not_understood(stored, "a time without a zone")
    return at


def _not_understood(stored: StoredEvent, got: str) -> IntegrityError:
    return IntegrityError(
        f"event {stored.sequence} of the audit trail, {stored.event.what}, cannot be understood",
        got=got,
        fix="Run analyte log verify; update analyte where a newer version wrote it",
    )
