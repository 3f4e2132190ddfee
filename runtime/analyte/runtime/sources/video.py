"""A video file, read by its own time."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np

from analyte.contract.errors import CameraError, ImageError
from analyte.contract.imaging import to_bgr8
from analyte.runtime.sources.names import display_name
from analyte.runtime.sources.opencv import open_capture
from analyte.runtime.sources.protocol import BadFrame, EndOfSource, Frame

_MISSING_S = 1.0
"""How much of a video may be missing at its end before it counts as cut short: containers round."""


class VideoSource:
    """The frames of a video file: every one, or one per ``interval_s`` seconds of the video's own time."""

    def __init__(self, path: Path, interval_s: float = 0.0) -> None:
        self.name = display_name(path)
        self.live = False
        capture = open_capture(str(path), cv2.CAP_ANY, [])
        if capture is None:
            raise CameraError("not a video that OpenCV can read", where=self.name)
        self._capture: cv2.VideoCapture | None = capture
        self._interval_ms = interval_s * 1000.0
        self._due_ms = -math.inf
        self._index = -1
        self._time_ms = 0.0
        self._fps = _positive(capture.get(cv2.CAP_PROP_FPS))
        self._length_ms = 1000.0 * _positive(capture.get(cv2.CAP_PROP_FRAME_COUNT)) / (self._fps or math.inf)

    def read(self, timeout_s: float) -> Frame | BadFrame:
        """Return the next frame that is due.

        Raises: EndOfSource after the last; CameraError when the video ends before its own length.
        """
        capture = self._capture
        while capture is not None and capture.grab():
            self._index += 1
            at, clock = datetime.now(UTC), time.monotonic()
            self._time_ms = self._frame_time_ms(capture)
            if self._time_ms < self._due_ms:
                continue
            if self._interval_ms > 0:
                start = self._time_ms if math.isinf(self._due_ms) else self._due_ms
                # On the grid of the interval, so that rounding to frames does not add up.
                steps = math.floor((self._time_ms - start) / self._interval_ms) + 1
                self._due_ms = start + steps * self._interval_ms
            name = f"{self.name}#{self._index}"
            ok, pixels = capture.retrieve()
            try:
                if not ok:
                    raise ImageError("the frame cannot be decoded", where=name)
                return Frame(to_bgr8(np.asarray(pixels), where=name), at, clock, name, self._index)
            except ImageError as error:
                return BadFrame(error, at, clock, name, self._index)
        self._refuse_early_end()
        raise EndOfSource(f"end of video {self.name}")

    def close(self) -> None:
        """Close the file."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _frame_time_ms(self, capture: cv2.VideoCapture) -> float:
        """Return the time of the frame last grabbed: the container's, else by frame rate."""
        stamped = capture.get(cv2.CAP_PROP_POS_MSEC)
        if math.isfinite(stamped) and (stamped > self._time_ms or self._index == 0):
            return stamped
        return 1000.0 * self._index / self._fps if self._fps else self._time_ms

    def _refuse_early_end(self) -> None:
        # OpenCV tells a damaged video from a complete one by nothing but its length.
        if self._capture is not None and self._time_ms < self._length_ms - 1000.0 * _MISSING_S:
            raise CameraError(
                "the video ends early: it is cut short or damaged",
                where=self.name,
                expected=f"{self._length_ms / 1000.0:.1f} s",
                got=f"{self._time_ms / 1000.0:.1f} s, {self._index + 1} frames",
            )


def _positive(number: float) -> float:
    return number if math.isfinite(number) and number > 0 else 0.0
