"""The topics of a device."""

from __future__ import annotations

from typing import NamedTuple


class Topics(NamedTuple):
    """Where a device sends what."""

    readings: str
    """One message per reading, QoS 1, not retained."""
    state: str
    """Whether the device is there and what it runs, QoS 1, retained."""


def topics_of(prefix: str, device: str) -> Topics:
    """Return the topics of a device: ``PREFIX/DEVICE/readings`` and ``PREFIX/DEVICE/state``."""
    return Topics(f"{prefix}/{device}/readings", f"{prefix}/{device}/state")
