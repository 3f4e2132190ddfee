"""A live camera: an index, a device file or a stream URL, through OpenCV."""

from __future__ import annotations

import sys
import threading
import time
from datetime import UTC, datetime

import cv2
import numpy as np

from analyte.contract.arrays import UInt8Array
from analyte.contract.errors import CameraError, ImageError
from analyte.contract.imaging import to_bgr8
from analyte.contract.redaction import redact
from analyte.contract.sections.camera import CameraSection, ControlsSection
from analyte.runtime.sources.controls import apply_controls
from analyte.runtime.sources.opencv import open_capture
from analyte.runtime.sources.protocol import BadFrame, Frame


class CameraSource:
    """One connection to a camera whose newest frame only is kept.

    OpenCV buffers frames and hands out old ones. A thread takes every frame as it comes, stamps it and
    throws the one before away, so that what is measured is what is seen.
    """

    def __init__(self, target: int | str, camera: CameraSection, first_index: int = 0) -> None:
        self.name = redact(target) if isinstance(target, str) else f"camera {target}"
        self.live = True
        self._target = target
        self._camera = camera
        self._changed = threading.Condition()
        self._newest: Frame | BadFrame | None = None
        self._lost: CameraError | None = None
        self._stopping = False
        self._last_s = time.monotonic()
        self._frames = first_index
        self._seen: UInt8Array | None = None
        self._frozen = False
        """Whether the last frame was the same as the one before."""
        self.settings: dict[str, float] = {}
        """What was set and read back, by the profile's keys."""
        # A daemon thread: a driver that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._drain, name="camera", daemon=True)
        self._thread.start()

    def read(self, timeout_s: float) -> Frame | BadFrame | None:
        """Return the newest frame that was not returned yet, or None after ``timeout_s`` without one.

        Raises: CameraError when the camera is lost, or gave no frame for ``camera.stall_s`` seconds.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or self._lost is not None, timeout_s)
            if self._lost is not None:
                raise self._lost
            quiet_s = time.monotonic() - self._last_s
            if quiet_s > self._camera.stall_s:
                raise CameraError(
                    self._fault(),
                    where=self.name,
                    expected=f"a frame within {self._camera.stall_s:g} s",
                    got=f"none for {quiet_s:.1f} s",
                    fix="Check cable, power and network",
                )
            frame, self._newest = self._newest, None
            return frame

    def _fault(self) -> str:
        if self._frozen:
            return "the camera is frozen, its frames are the same to the last bit"
        return "the camera stalled" if self._seen is not None else "the camera gives no frame"

    def abandon(self) -> None:
        """Let the thread release the camera when it can; its frames are no longer given."""
        self._stopping = True

    def close(self) -> None:
        """Stop the thread and release the camera, waiting two seconds at most for a driver that hangs."""
        self.abandon()
        self._thread.join(timeout=2.0)

    def _drain(self) -> None:
        capture: cv2.VideoCapture | None = None
        try:
            capture = self._open()
            while not self._stopping:
                self._take(capture)
        except CameraError as error:
            self._lose(error)
        except cv2.error as error:
            self._lose(CameraError("OpenCV failed", where=self.name, got=redact(str(error))))
        finally:
            if capture is not None:
                capture.release()

    def _lose(self, error: CameraError) -> None:
        with self._changed:
            self._lost = error
            self._changed.notify_all()

    def _take(self, capture: cv2.VideoCapture) -> None:
        grabbed = capture.grab()
        at, clock = datetime.now(UTC), time.monotonic()
        if not grabbed:
            raise CameraError("the camera is lost: it gives no more frames", where=self.name)
        ok, pixels = capture.retrieve()
        name = f"{self.name}#{self._frames}"
        frame: Frame | BadFrame
        try:
            if not ok:
                raise ImageError("the frame cannot be decoded", where=name)
            frame = Frame(to_bgr8(np.asarray(pixels), where=name), at, clock, name, self._frames)
            height, width = frame.pixels.shape[:2]
            self._check_size(width, height)
            # From now on: regions are in pixels.
            self._camera = self._camera.model_copy(update={"width": width, "height": height})
            if not self._is_new(frame):
                return
        except ImageError as error:
            frame = BadFrame(error, at, clock, name, self._frames)
        with self._changed:
            self._newest = frame
            self._last_s = clock
            self._frames += 1
            self._changed.notify_all()

    def _open(self) -> cv2.VideoCapture:
        is_url = isinstance(self._target, str) and "://" in self._target
        # Twice the stall time, so that it is `read` that finds a stall, with its own words.
        patience_ms = round(2000.0 * self._camera.stall_s)
        if is_url:
            backend = cv2.CAP_FFMPEG
            options = [
                cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
                patience_ms,
                cv2.CAP_PROP_READ_TIMEOUT_MSEC,
                patience_ms,
            ]
        else:
            backend = cv2.CAP_V4L2 if sys.platform == "linux" else cv2.CAP_ANY
            options = []
        capture = open_capture(self._target, backend, options)
        if capture is None:
            raise CameraError(
                "the stream cannot be opened" if is_url else "the camera cannot be opened",
                where=self.name,
                fix="Check address, user and password"
                if is_url
                else "Check ls /dev/video*, that no other program uses it, and the group 'video'",
            )
        try:
            if not is_url:
                self.settings = apply_controls(capture, self._camera.controls, where=self.name)
            elif self._camera.controls != ControlsSection():
                raise CameraError(
                    "camera.controls: a stream cannot be set", where=self.name, fix="Set the camera itself"
                )
            self._demand_size(capture)
        except CameraError:
            capture.release()
            raise
        return capture

    def _demand_size(self, capture: cv2.VideoCapture) -> None:
        """Set what the profile demands and read it back: drivers ignore settings without an error."""
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        for prop, wanted in (
            (cv2.CAP_PROP_FRAME_WIDTH, self._camera.width),
            (cv2.CAP_PROP_FRAME_HEIGHT, self._camera.height),
        ):
            if wanted is not None:
                capture.set(prop, wanted)
        self._check_size(
            round(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), round(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        )

    def _is_new(self, frame: Frame) -> bool:
        """Whether the sensor was at work since the frame before: its noise tells."""
        before, self._seen = self._seen, frame.pixels
        if self._camera.repeats:
            return True
        # The first one waits for a second that differs: a camera that froze gives its frame to whoever asks.
        self._frozen = before is not None and np.array_equal(before, frame.pixels)
        return before is not None and not self._frozen

    def _check_size(self, width: int, height: int) -> None:
        wanted = (self._camera.width or width, self._camera.height or height)
        if wanted != (width, height):
            raise CameraError(
                "the camera gives frames of another size",
                where=self.name,
                expected=f"{wanted[0]}x{wanted[1]}",
                got=f"{width}x{height}",
                fix="Set camera.width and camera.height in the profile to a size that it has",
            )
