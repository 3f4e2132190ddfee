"""A camera of Video for Linux, such as a USB camera, through OpenCV."""

from __future__ import annotations

import sys
from dataclasses import replace

import cv2

from analyte.contract.errors import CameraError
from analyte.contract.sections.camera import CameraSection, RawSection
from analyte.runtime.sources.controls import apply_controls
from analyte.runtime.sources.driver import Shot
from analyte.runtime.sources.opencv import open_capture
from analyte.runtime.sources.raw import Developer
from analyte.runtime.sources.stream import take_from

_GREY = {8: "GREY", 10: "Y10 ", 12: "Y12 ", 16: "Y16 "}
_BAYER8 = {"RGGB": "RGGB", "BGGR": "BA81", "GRBG": "GRBG", "GBRG": "GBRG"}
"""Raw formats of linux/videodev2.h that OpenCV's V4L2 input takes, as four characters."""


class V4l2Driver:
    """Frames of a device file, its settings demanded and read back; OpenCV may not choose a backend."""

    def __init__(self, target: int | str, camera: CameraSection) -> None:
        self.name = f"camera {target}" if isinstance(target, int) else target
        self._target = target
        self._camera = camera
        self._developer = None if camera.raw is None else Developer(camera.raw)
        self._capture: cv2.VideoCapture | None = None

    def open(self) -> None:
        """Open the camera and set it. Raises: CameraError when it is not there, held, or does otherwise."""
        backend = cv2.CAP_V4L2 if sys.platform == "linux" else cv2.CAP_ANY
        capture = open_capture(self._target, backend, [])
        if capture is None:
            raise CameraError(
                "the camera cannot be opened",
                where=self.name,
                fix="Check ls /dev/video*, that no other program uses it, and the group 'video'",
            )
        self._capture = capture
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        # The size first: OpenCV sets the camera up anew for it, which may undo what was set before.
        for prop, wanted in (
            (cv2.CAP_PROP_FRAME_WIDTH, self._camera.width),
            (cv2.CAP_PROP_FRAME_HEIGHT, self._camera.height),
        ):
            # Whether the camera took it shows in its frames.
            if wanted is not None:
                capture.set(prop, wanted)
        if self._camera.raw is not None:
            _demand_raw(capture, self._camera.raw, self.name)
        apply_controls(capture, self._camera.controls, where=self.name)

    def take(self) -> Shot:
        """Wait for the next frame. Raises: ImageError, CameraError."""
        shot = take_from(self._capture, self.name)
        if self._developer is None:
            return shot
        return replace(shot, pixels=self._developer.develop(shot.pixels, where=self.name))

    def release(self) -> None:
        """Close the device file."""
        if self._capture is not None:
            self._capture.release()


def _demand_raw(capture: cv2.VideoCapture, raw: RawSection, name: str) -> None:
    code = _GREY.get(raw.bits) if raw.pattern == "grey" else _BAYER8[raw.pattern] if raw.bits == 8 else None
    if code is None:
        raise CameraError(
            "camera.raw: OpenCV takes no such format of a V4L2 camera",
            where=name,
            expected="grey with 8, 10, 12 or 16 bits, or a Bayer pattern with 8",
            got=f"{raw.pattern} with {raw.bits}",
        )
    capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*code))
    capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)
    found = round(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little", signed=False).decode("latin-1")
    if found != code or capture.get(cv2.CAP_PROP_CONVERT_RGB) != 0:
        raise CameraError(
            "camera.raw: the camera does not give this format",
            where=name,
            expected=repr(code),
            got=repr(found),
            fix="v4l2-ctl --list-formats-ext shows what it can",
        )
