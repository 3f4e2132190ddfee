"""Cameras that are none, for drivers whose hardware is not here."""

from __future__ import annotations

import time
from types import ModuleType
from typing import Any, ClassVar

import cv2
import numpy as np
import numpy.typing as npt


class Capture:
    """What of `cv2.VideoCapture` the drivers use: frames of growing level, settings that it takes or not."""

    def __init__(self, frame: npt.NDArray[Any], *, stubborn: dict[int, float] | None = None) -> None:
        self.frame = frame
        self.stubborn = stubborn or {}
        self.told: dict[int, float] = {}
        self.count = 0
        self.ends_after: int | None = None
        self.undecodable: set[int] = set()
        self.released = False

    def set(self, prop: int, value: float, /) -> bool:
        self.told[prop] = value
        return True  # as drivers say, whatever they do

    def get(self, prop: int, /) -> float:
        return self.stubborn.get(prop, self.told.get(prop, -1.0))

    def grab(self) -> bool:
        time.sleep(0.002)
        self.count += 1
        return self.ends_after is None or self.count <= self.ends_after

    def retrieve(self) -> tuple[bool, npt.NDArray[np.generic] | None]:
        if self.count in self.undecodable:
            return False, None
        # Differs from the one before, as a sensor's frames do.
        return True, (self.frame + np.asarray(self.count % 7, self.frame.dtype)).astype(self.frame.dtype)

    def release(self) -> None:
        self.released = True


class Request:
    def __init__(self, camera: Picamera2, metadata: dict[str, Any]) -> None:
        self.camera = camera
        self.metadata = metadata

    def get_metadata(self) -> dict[str, Any]:
        return self.metadata

    def make_array(self, stream: str) -> npt.NDArray[np.generic]:
        if stream == "raw":
            return self.camera.raw_frame
        width, height = self.camera.configuration["main"].get("size", (1280, 720))
        return np.full((height, width, 3), 20 + self.camera.frames % 7, np.uint8)

    def release(self) -> None:
        self.camera.out -= 1


class Picamera2:
    """What of Picamera2 the driver uses; settings hold some frames after they were asked for."""

    made: list[Picamera2]
    metadata: ClassVar[dict[str, Any]] = {}
    """What the frames say whatever was asked for, by libcamera's names."""
    raw_frame: npt.NDArray[np.generic] = np.zeros((4, 16), np.uint8)
    raw_format: str | None = None

    def __init__(self, camera_num: int = 0) -> None:
        if camera_num > 1:
            raise IndexError("list index out of range")
        type(self).made.append(self)
        self.configuration: dict[str, Any] = {}
        self.frames = 0
        self.out = 0
        self.closed = False

    def create_video_configuration(self, **given: Any) -> dict[str, Any]:
        return given

    def configure(self, configuration: dict[str, Any]) -> None:
        self.configuration = configuration

    def camera_configuration(self) -> dict[str, Any]:
        raw = self.configuration["raw"] or {"format": "none"}
        return {"raw": {"size": (4, 4), "format": self.raw_format or raw["format"]}}

    def start(self) -> None:
        pass

    def capture_request(self) -> Request:
        time.sleep(0.002)
        self.frames += 1
        self.out += 1
        assert self.out <= 4, "a request was not released"
        asked = (
            self.configuration["controls"] if self.frames > 5 else {"ExposureTime": 1, "AnalogueGain": 9.0}
        )
        stamp = int((time.clock_gettime(time.CLOCK_BOOTTIME) - 0.05) * 1e9)
        return Request(self, {"SensorTimestamp": stamp, **asked, **self.metadata})

    def close(self) -> None:
        self.closed = True


def picamera2_module(**attributes: object) -> ModuleType:
    """Return a module ``picamera2`` whose camera has ``attributes``."""
    module = ModuleType("picamera2")
    module.Picamera2 = type("Picamera2", (Picamera2,), {"made": [], **attributes})  # type: ignore[attr-defined]
    return module


FOURCC = cv2.CAP_PROP_FOURCC
