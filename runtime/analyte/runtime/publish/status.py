"""How sending stands, for people and programs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PublisherStatus:
    """JSON names equal field names."""

    broker: str
    """Name and port; never user or password."""
    connected: bool = False
    waiting: int = 0
    """Readings that the broker has not acknowledged, as counted within the last second or so."""
    acknowledged: int = 0
    """Readings that it has, since the daemon's start; one that was sent twice counts once."""
    last_error: str = ""
    """In plain words; empty once readings go out again."""
    note: str = ""
    """What a person should know although nothing failed, such as that nobody listens; empty otherwise."""
