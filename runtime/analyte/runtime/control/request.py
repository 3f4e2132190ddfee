"""A control that a person asks the running daemon for: the next reading is taken as one."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from analyte.contract.event import Role
from analyte.contract.reading import Reading
from analyte.runtime.control.events import ControlRecord


@dataclass(frozen=True, slots=True)
class ControlRequest:
    """Who wants which material measured, and where the answer goes."""

    material: str
    site: str
    """Well that holds it; empty where a frame gives one reading."""
    who: str
    role: Role
    answer: Future[ControlRecord | None] = field(default_factory=Future)

    def split(self, readings: Sequence[Reading]) -> tuple[Reading | None, list[Reading]]:
        """Return the reading of the control, None where there is no such well, and those of specimens."""
        mine = next((one for one in readings if one.site == self.site), None)
        return mine, [one for one in readings if one is not mine]
