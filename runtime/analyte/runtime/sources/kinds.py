"""What a source is, by its text alone: nothing is opened or looked at."""

from __future__ import annotations

from enum import StrEnum

from analyte.contract.errors import CameraError
from analyte.contract.redaction import redact


class Kind(StrEnum):
    """The kinds of source that ``camera.source`` and ``--source`` may name."""

    INDEX = "0"
    """The number of a V4L2 camera."""
    STREAM = "://"
    """An address: HTTP with JPEG pictures, or RTSP."""
    CSI = "csi:"
    """The number of a Raspberry Pi's camera on the ribbon cable."""
    GSTREAMER = "gst:"
    """A GStreamer pipeline."""
    SIMULATED = "sim:"
    """A folder of pictures or a video that plays the camera."""
    WATCH = "watch:"
    """A folder that new pictures come into."""
    PATH = "path"
    """A device file, a picture, a folder of pictures or a video."""


_PREFIXES = (Kind.CSI, Kind.GSTREAMER, Kind.SIMULATED, Kind.WATCH)


def kind_of(text: str) -> tuple[Kind, str]:
    """Return the kind of a source, and its text without the prefix that says so.

    Raises: CameraError for a prefix without what belongs behind it.
    """
    if text.isascii() and text.isdigit():
        return Kind.INDEX, text
    # Before addresses: a pipeline may hold one.
    for kind in _PREFIXES:
        if text.startswith(kind):
            rest = text[len(kind) :].strip()
            if not rest or (kind is Kind.CSI and not (rest.isascii() and rest.isdigit())):
                wanted = "csi:0" if kind is Kind.CSI else f"{kind}…"
                raise CameraError("camera.source: not complete", expected=wanted, got=repr(text))
            return kind, rest
    return (Kind.STREAM if "://" in text else Kind.PATH), text


def printable(text: str) -> str:
    """Return a source's text without what may be a credential."""
    if text.startswith(Kind.GSTREAMER):
        # Any property of any element may hold one.
        return " ".join(text.split()[:1])
    return redact(text)
