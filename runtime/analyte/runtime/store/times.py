"""Times as they stand in the store, and whether the clock behind them jumped."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from analyte.contract.errors import InputError

JUMP_S = 1.0
"""A clock that is set by more than this has jumped."""
_FASTEST_SLEW = 0.001
"""Seconds per second: twice what the kernel does to bring a clock right gently."""


def iso(seconds: float) -> str:
    """Return a time of `time.time` as the store writes it: UTC, ISO 8601 with microseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")


def utc(text: str) -> str:
    """Return a time that a person wrote, as the store writes it; without a zone it is UTC.

    Raises: InputError when it is no time.
    """
    try:
        given = datetime.fromisoformat(text)
        zoned = given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InputError(
            "not a time", expected="ISO 8601, such as 2026-03-01T08:30 or 2026-03-01", got=repr(text)
        ) from error
    return zoned.isoformat(timespec="microseconds")


def _since_boot() -> float:
    """Return seconds on a clock that nobody sets; where there is one, it counts while the machine sleeps."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


@dataclass(slots=True)
class ClockWatch:
    """Compares the clock that is set with one that is not."""

    wall: Callable[[], float] = time.time
    steady: Callable[[], float] = _since_boot
    jumped_forward: bool = False
    """Whether it ever did: what is old cannot be told by such a clock."""
    _seen: tuple[float, float] | None = field(default=None, init=False)

    def now(self) -> str:
        """Return the time, UTC."""
        return iso(self.wall())

    def jump(self) -> tuple[str, str] | None:
        """Return what the time should be and what it is, if the clock jumped since the last call."""
        wall, steady = self.wall(), self.steady()
        seen, self._seen = self._seen, (wall, steady)
        if seen is None:
            return None
        elapsed = steady - seen[1]
        expected = seen[0] + elapsed
        if abs(wall - expected) <= JUMP_S + _FASTEST_SLEW * elapsed:
            return None
        self.jumped_forward |= wall > expected
        return iso(expected), iso(wall)
