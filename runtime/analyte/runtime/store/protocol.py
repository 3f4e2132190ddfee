"""What the rest of the device knows of the store, whatever keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from analyte.contract.event import Event
from analyte.contract.reading import Flag, Reading, Reason


class Store(Protocol):
    """Keeps readings for good."""

    def append(self, readings: Sequence[Reading]) -> None:
        """Keep readings, all or none; when this returns they survive a power cut.

        Raises: OutputError when it cannot be written (disk full), IntegrityError when the store is damaged.
        """
        ...

    def close(self) -> None:
        """Close the store; may be called twice."""
        ...


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event with its place in the chain."""

    sequence: int
    event: Event


class Trail(Protocol):
    """The audit trail. May be used by several threads."""

    def add(self, event: Event) -> None:
        """Keep an event; when this returns it survives a power cut. Raises: OutputError, IntegrityError."""
        ...

    def events(self, what: str = "", *, after: int = 0, limit: int = 1000) -> Sequence[StoredEvent]:
        """Return events in the order of the chain, at most ``limit``.

        ``what``: beginning of their `Event.what`, such as ``control.``. ``after``: only later than this
        sequence number.
        """
        ...


@dataclass(frozen=True, slots=True)
class Waiting:
    """A reading that is to be sent."""

    sequence: int
    """Its place in the chain: what is sent in this order arrives in the order of measuring."""
    id: str
    """The reading's id, by which a receiver knows a duplicate."""
    json: str
    """The reading as one line of JSON."""


class Outbox(Protocol):
    """Readings that have not been acknowledged by their receiver. For one thread, which may not be the
    store's."""

    def pending(self, limit: int, *, after: int = 0) -> Sequence[Waiting]:
        """Return the oldest ones, at most ``limit``, later than sequence number ``after``."""
        ...

    def acknowledge(self, up_to: int) -> None:
        """Forget those up to and with this sequence number: the receiver has them. Raises: OutputError."""
        ...

    def depth(self) -> int:
        """Return how many wait."""
        ...


@dataclass(frozen=True, slots=True)
class ReadingFilter:
    """Which readings are wanted; None where it does not matter."""

    since: str | None = None
    """Captured at this time or later: UTC, ISO 8601."""
    until: str | None = None
    """Captured before this time: UTC, ISO 8601."""
    refused: bool | None = None
    reason: Reason | None = None
    flag: Flag | None = None
    site: str | None = None


@dataclass(frozen=True, slots=True)
class StoredReading:
    """A reading with its place in the chain."""

    sequence: int
    id: str
    json: str
    """The reading as one line of JSON, as it was stored."""


class ReadingLog(Protocol):
    """Stored readings, for looking at. For one thread, which may not be the store's."""

    def newest(
        self, chosen: ReadingFilter, *, before: int | None = None, limit: int = 100
    ) -> Sequence[StoredReading]:
        """Return readings, newest first, at most ``limit``, earlier in the chain than ``before``."""
        ...

    def following(self, sequence: int, limit: int = 100) -> Sequence[StoredReading]:
        """Return the readings that follow ``sequence`` in the chain, oldest first, at most ``limit``."""
        ...

    def find(self, id: str) -> StoredReading | None:
        """Return the reading of this id, or None."""
        ...
