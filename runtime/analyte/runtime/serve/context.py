"""What every route works with."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

from fastapi import HTTPException, Request

from analyte.contract.errors import AnalyteError
from analyte.contract.event import Event, JsonValue, Role
from analyte.contract.redaction import redact
from analyte.contract.sections.serve import ServeSection
from analyte.runtime.serve.events import Broker
from analyte.runtime.serve.instrument import Instrument
from analyte.runtime.serve.metrics import Figures
from analyte.runtime.serve.security import Gatekeeper, Person
from analyte.runtime.store.protocol import ReadingFilter, ReadingLog, StoredReading, Trail


@dataclass(frozen=True, slots=True)
class Context:
    """The device, its record and its people."""

    section: ServeSection
    instrument: Instrument
    log: ReadingLog
    trail: Trail
    keeper: Gatekeeper
    broker: Broker = field(default_factory=Broker)
    figures: Figures = field(default_factory=Figures)
    lock: threading.Lock = field(default_factory=threading.Lock)
    """The log is for one thread at a time."""

    def newest(self, chosen: ReadingFilter, before: int | None, limit: int) -> Sequence[StoredReading]:
        """Return readings, newest first; see `ReadingLog`."""
        with self.lock:
            return self.log.newest(chosen, before=before, limit=limit)

    def find(self, id: str) -> StoredReading | None:
        """Return a reading by its id; see `ReadingLog`."""
        with self.lock:
            return self.log.find(id)

    def note(self, person: Person, what: str, why: str = "", new: JsonValue = None) -> None:
        """Write into the audit trail. Raises: OutputError, IntegrityError."""
        at = datetime.now(UTC).isoformat(timespec="microseconds")
        self.trail.add(Event(at, person.name, person.role, what, redact(why), None, new, str(uuid.uuid4())))

    def act(self, person: Person, what: str, do: Callable[[], str | None], why: str = "") -> str:
        """Record what a person asked for, do it, and record what came of it, if anything.

        What cannot be recorded is not done. Raises: OutputError, IntegrityError; what ``do`` raises.
        """
        self.note(person, what, why)
        try:
            result = do() or ""
        except AnalyteError as error:
            self.note(person, f"{what}_failed", why, error.line())
            raise
        if result:
            self.note(person, f"{what}_done", why, result)
        return result


def context_of(request: Request) -> Context:
    """Return the context of the application."""
    return cast(Context, request.app.state.context)


def person_of(request: Request) -> Person:
    """Return who asks; the guard has let nobody else through."""
    return cast(Person, request.scope["analyte.person"])


class Needs:
    """A dependency: refuses a person of a lower role."""

    def __init__(self, least: Role) -> None:
        self.least = least

    def __call__(self, request: Request) -> Person:
        """Return who asks. Raises: HTTPException 403."""
        person = person_of(request)
        if not person.may(self.least):
            raise HTTPException(403, f"This takes the role {self.least}; you are {person.role}.")
        return person
