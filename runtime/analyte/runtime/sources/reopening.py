"""A camera that is opened anew after every fault, ever more slowly, until it has failed too often."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from analyte.contract.errors import CameraError, ImageError
from analyte.contract.sections.camera import CameraSection
from analyte.runtime.sources.protocol import BadFrame, Frame


class Connection(Protocol):
    """A camera while nothing is wrong with it; see `FrameSource`."""

    @property
    def name(self) -> str:
        """What it is, for people."""
        ...

    def read(self, timeout_s: float) -> Frame | BadFrame | None:
        """Return the newest frame. Raises: CameraError when the camera is lost."""
        ...

    def abandon(self) -> None:
        """Let go of the camera without waiting for a driver that hangs."""
        ...

    def close(self) -> None:
        """Release the camera; may be called twice."""
        ...


Connect = Callable[[CameraSection, int], Connection]
"""Starts a connection: what is demanded of the camera, and the index of its first frame."""


class ReopeningCamera:
    """Live frames, with one refusal for each outage, and none of its frames after it.

    The first connection must do: what is wrong from the start is a matter of the profile, and is raised.
    Later ones must give frames of the same size, for regions are in pixels.
    """

    def __init__(self, connect: Connect, camera: CameraSection) -> None:
        self._connect = connect
        self._camera = camera
        self._connection: Connection | None = connect(camera, 0)
        self.name = self._connection.name
        self.live = True
        self._due_s = 0.0
        self._failures = 0
        self._seen = False
        self._out = False
        self._index = 0

    def read(self, timeout_s: float) -> Frame | BadFrame | None:
        """Return the newest frame; when an outage begins a bad frame that says why, then None until it ends.

        Raises: CameraError when the camera never gave a frame, or failed too often in a row.
        """
        if self._connection is None:
            wait_s = self._due_s - time.monotonic()
            if wait_s > 0:
                time.sleep(min(wait_s, timeout_s))
                return None
            self._connection = self._connect(self._camera, self._index)
        try:
            frame = self._connection.read(timeout_s)
        except CameraError as error:
            return self._lose(error)
        if frame is not None:
            self._index = frame.index + 1
        if isinstance(frame, Frame):
            self._keep_size(frame)
            self._seen, self._out, self._failures = True, False, 0
        return frame

    def close(self) -> None:
        """Release the camera; may be called twice."""
        if self._connection is not None:
            self._connection.close()

    def _keep_size(self, frame: Frame) -> None:
        if not self._seen:
            height, width = frame.pixels.shape[:2]
            self._camera = self._camera.model_copy(update={"width": width, "height": height})

    def _lose(self, error: CameraError) -> BadFrame | None:
        if not self._seen or self._failures >= self._camera.reopen_attempts:
            raise error
        if self._connection is not None:
            self._connection.abandon()
            self._connection = None
        delay_s = min(self._camera.reopen_first_s * 2**self._failures, self._camera.reopen_max_s)
        self._due_s = time.monotonic() + delay_s
        self._failures += 1
        if self._out:
            return None
        self._out = True
        lost = ImageError(error.what, where=error.where, expected=error.expected, got=error.got)
        return BadFrame(lost, datetime.now(UTC), time.monotonic(), self.name, self._index, outage=True)
