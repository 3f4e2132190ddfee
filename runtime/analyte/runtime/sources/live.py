"""One connection to a live camera whose newest frame only is kept."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np

from analyte.contract.arrays import UInt8Array
from analyte.contract.errors import AnalyteError, CameraError, ImageError
from analyte.contract.imaging import to_bgr8
from analyte.contract.redaction import redact
from analyte.contract.sections.camera import CameraSection
from analyte.runtime.sources.driver import Driver
from analyte.runtime.sources.protocol import BadFrame, Frame


class LiveCamera:
    """The newest frame of a camera.

    Drivers buffer frames and hand out old ones. A thread takes every frame as it comes, stamps it and throws
    the one before away, so that what is measured is what is seen.
    """

    def __init__(self, driver: Driver, camera: CameraSection, first_index: int = 0) -> None:
        self.name = driver.name
        self.live = True
        self._driver = driver
        self._camera = camera
        self._changed = threading.Condition()
        self._newest: Frame | BadFrame | None = None
        self._lost: AnalyteError | None = None
        self._stopping = False
        self._last_s = time.monotonic()
        self._frames = first_index
        self._seen: UInt8Array | None = None
        self._frozen = False
        """Whether the last frame was the same as the one before."""
        # A daemon thread: a driver that hangs must not keep the process from ending. The command line knows
        # it by its name.
        self._thread = threading.Thread(target=self._drain, name="camera", daemon=True)
        self._thread.start()

    def read(self, timeout_s: float) -> Frame | BadFrame | None:
        """Return the newest frame that was not returned yet, or None after ``timeout_s`` without one.

        Raises: CameraError when the camera is lost, or gave no frame for ``camera.stall_s`` seconds;
        UnavailableError when what it needs is not installed.
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

    def abandon(self) -> None:
        """Let the thread release the camera when it can; its frames are no longer given."""
        self._stopping = True

    def close(self) -> None:
        """Stop the thread and release the camera, waiting two seconds at most for a driver that hangs."""
        self.abandon()
        self._thread.join(timeout=2.0)

    def _fault(self) -> str:
        if self._frozen:
            return "the camera is frozen, its frames are the same to the last bit"
        return "the camera stalled" if self._seen is not None else "the camera gives no frame"

    def _drain(self) -> None:
        try:
            self._driver.open()
            while not self._stopping:
                self._take()
        except AnalyteError as error:
            self._lose(error)
        except cv2.error as error:
            self._lose(CameraError("OpenCV failed", where=self.name, got=redact(str(error))))
        except Exception as error:  # noqa: BLE001 - a vendor's driver may raise anything: it is one fault more
            got = redact(f"{type(error).__name__}: {error}")
            self._lose(CameraError("the camera's driver failed", where=self.name, got=got))
        finally:
            self._driver.release()

    def _lose(self, error: AnalyteError) -> None:
        with self._changed:
            self._lost = error
            self._changed.notify_all()

    def _take(self) -> None:
        name = f"{self.name}#{self._frames}"
        frame: Frame | BadFrame
        try:
            shot = self._driver.take()
            frame = self._frame(to_bgr8(shot.pixels, where=name), shot.monotonic_s, name)
        except ImageError as error:
            frame = BadFrame(error, datetime.now(UTC), time.monotonic(), name, self._frames)
        else:
            height, width = frame.pixels.shape[:2]
            self._check_size(width, height)
            # From now on: regions are in pixels.
            self._camera = self._camera.model_copy(update={"width": width, "height": height})
            if not self._is_new(frame):
                return
        with self._changed:
            self._newest = frame
            self._last_s = time.monotonic()
            self._frames += 1
            self._changed.notify_all()

    def _frame(self, pixels: UInt8Array, taken_s: float, name: str) -> Frame:
        age = timedelta(seconds=time.monotonic() - taken_s)
        return Frame(pixels, datetime.now(UTC) - age, taken_s, name, self._frames)

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
