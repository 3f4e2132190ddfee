"""What a device says of itself: at its birth, at its end, and by its last will."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum


class Absence(StrEnum):
    """Why a device is offline."""

    STOPPED = "stopped"
    """It was told to stop, or its source ended."""
    LOST = "lost"
    """The broker lost the connection: power, network or process. Said by the last will."""


@dataclass(frozen=True, slots=True)
class Running:
    """What a device runs; JSON names equal field names. What is empty is not said."""

    device: str
    analyte: str
    unit: str
    bundle: str
    """Bundle id: the sha256 of its manifest, hexadecimal."""
    artifact: str
    engine: str
    provider: str
    version: str
    """Of analyte."""


def online(running: Running) -> bytes:
    """Return the state of a device that measures, JSON in UTF-8."""
    return _json({"state": "online", **{name: text for name, text in asdict(running).items() if text}})


def offline(device: str, why: Absence) -> bytes:
    """Return the state of a device that does not, JSON in UTF-8."""
    return _json({"state": "offline", "device": device, "why": str(why)})


def _json(fields: dict[str, str]) -> bytes:
    return json.dumps(fields, ensure_ascii=False).encode()
