"""What every frame source is to the rest of the device."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from analyte.contract.arrays import UInt8Array
from analyte.contract.errors import ImageError


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture and when it was taken."""

    pixels: UInt8Array
    """uint8 ``[H, W, 3]``, BGR, 0 to 255."""
    captured_at: datetime
    """UTC. For a camera, when the frame left the driver; for a file, when it was read: neither a file's
    time nor its EXIF time, which has no zone, can be relied upon."""
    monotonic_s: float
    """The same moment on `time.monotonic`'s clock, seconds: what the age is counted from."""
    name: str
    """What was measured, for people; credentials are never part of it."""
    index: int
    """Number of the frame within its source, from 0; frames that were skipped count."""


@dataclass(frozen=True, slots=True)
class BadFrame:
    """A picture that was there but cannot be used; it becomes a refused reading."""

    error: ImageError
    captured_at: datetime
    """UTC, when it was tried."""
    monotonic_s: float
    """The same moment on `time.monotonic`'s clock, seconds."""
    name: str
    index: int
    outage: bool = False
    """Whether the source was lost here: what comes after it may show another specimen."""


class EndOfSource(Exception):  # noqa: N818 - the regular end of a source is no error
    """A folder or a video has no more frames. Its text says of what this was the end."""


class FrameSource(Protocol):
    """Gives frames, one at a time."""

    @property
    def name(self) -> str:
        """What it is, for people; credentials are never part of it."""
        ...

    @property
    def live(self) -> bool:
        """Whether frames come by the clock (and grow stale) or wait to be read."""
        ...

    def read(self, timeout_s: float) -> Frame | BadFrame | None:
        """Return the next frame; of a live source the newest that was not returned yet.

        None when no frame came within ``timeout_s`` seconds, so that the caller can look at other things.
        Raises: EndOfSource after the last frame; CameraError when the source is lost.
        """
        ...

    def close(self) -> None:
        """Release the source; may be called twice."""
        ...
