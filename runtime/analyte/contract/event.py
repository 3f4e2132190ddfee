"""A line of the audit trail: something that a person or the device did, beside the readings themselves."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum

JsonValue = str | int | float | bool | None | list["JsonValue"] | dict[str, "JsonValue"]
"""What a trail may hold of a value: numbers are finite."""


class Role(StrEnum):
    """What a person may do; each may do what those before it may."""

    VIEWER = "viewer"
    """Look."""
    OPERATOR = "operator"
    """Measure, run a control, start and stop."""
    SUPERVISOR = "supervisor"
    """Release a lock-out, recalibrate, change the bundle, remove what is kept."""
    DEVICE = "device"
    """No person: what the daemon does by itself."""


@dataclass(frozen=True, slots=True)
class Event:
    """Who did what, when, why, and what it was before and after."""

    at: str
    """UTC, ISO 8601 with microseconds."""
    who: str
    """Name of the token or of the user; ``device`` for the daemon itself. Never a secret."""
    role: Role
    what: str
    """What was done, as subject and verb: ``daemon.started``, ``control.measured``, ``lockout.released``."""
    why: str = ""
    """The reason that the person gave."""
    old: JsonValue = None
    """What it was before."""
    new: JsonValue = None
    """What it is now."""
    id: str = ""
    """Unique id, UUID version 4."""

    def to_json(self) -> str:
        """Return the event as one line of JSON. Raises: ValueError for numbers that are not finite."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return json.dumps(fields, ensure_ascii=False, allow_nan=False)
