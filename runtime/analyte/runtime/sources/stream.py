"""A network camera: HTTP with JPEG pictures, or RTSP, through OpenCV's FFmpeg."""

from __future__ import annotations

import time

import cv2
import numpy as np

from analyte.contract.errors import CameraError, ImageError
from analyte.contract.redaction import redact
from analyte.contract.sections.camera import CameraSection
from analyte.runtime.sources.driver import Shot
from analyte.runtime.sources.opencv import open_capture
from analyte.runtime.sources.settings import refuse_settings


class StreamDriver:
    """Frames of an address."""

    def __init__(self, address: str, camera: CameraSection) -> None:
        self.name = redact(address)
        self._address = address
        self._camera = camera
        self._capture: cv2.VideoCapture | None = None

    def open(self) -> None:
        """Connect. Raises: CameraError when nobody answers, or a setting is asked for."""
        refuse_settings(self._camera, where=self.name, kind="a stream", fix="Set the camera itself")
        # Twice the stall time, so that it is the reader that finds a stall, with its own words.
        patience_ms = round(2000.0 * self._camera.stall_s)
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, patience_ms, cv2.CAP_PROP_READ_TIMEOUT_MSEC, patience_ms]
        self._capture = open_capture(self._address, cv2.CAP_FFMPEG, limits)
        if self._capture is None:
            raise CameraError(
                "the stream cannot be opened", where=self.name, fix="Check address, user and password"
            )

    def take(self) -> Shot:
        """Wait for the next frame. Raises: ImageError, CameraError."""
        return take_from(self._capture, self.name)

    def release(self) -> None:
        """Close the connection."""
        if self._capture is not None:
            self._capture.release()


def take_from(capture: cv2.VideoCapture | None, name: str) -> Shot:
    """Take a frame of an open video input, stamped when it left the driver and before it is decoded.

    Raises: ImageError when it cannot be decoded, CameraError when there is none.
    """
    if capture is None or not capture.grab():
        raise CameraError("the camera is lost: it gives no more frames", where=name)
    taken_s = time.monotonic()
    done, pixels = capture.retrieve()
    if not done:
        raise ImageError("the frame cannot be decoded", where=name)
    return Shot(np.asarray(pixels), taken_s)
