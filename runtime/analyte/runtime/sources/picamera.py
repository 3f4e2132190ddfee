"""A Raspberry Pi's camera on the ribbon cable, through Picamera2, which is there on a Pi only."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from analyte.contract.errors import CameraError, ImageError, UnavailableError
from analyte.contract.sections.camera import CameraSection, RawSection
from analyte.runtime.sources.driver import Shot
from analyte.runtime.sources.raw import Developer

_SETTLE_FRAMES = 30
"""Frames that the sensor may need until a setting holds; libcamera applies it a few frames later."""
_TOLERANCE = 0.02
"""Relative: exposure comes in lines of the sensor, gain in its steps."""


class PicameraDriver:
    """Frames of a CSI camera. Each says with which settings it was taken, and is checked against them."""

    def __init__(self, number: int, camera: CameraSection) -> None:
        self.name = f"csi:{number}"
        self._number = number
        self._camera = camera
        self._wanted = _wanted(camera, self.name)
        self._developer = None if camera.raw is None else Developer(camera.raw)
        self._picamera: Any = None

    def open(self) -> None:
        """Start the camera and wait until its settings hold.

        Raises: UnavailableError without Picamera2, CameraError when there is no such camera, another program
        holds it, or it does not take a setting.
        """
        try:
            from picamera2 import Picamera2  # type: ignore[import-not-found,unused-ignore]
        except ImportError as error:
            raise UnavailableError(
                "Picamera2 is not installed",
                where=self.name,
                got=str(error),
                fix="On Raspberry Pi OS: sudo apt install python3-picamera2, and a virtual environment made "
                "with --system-site-packages",
            ) from error
        try:
            self._picamera = Picamera2(self._number)
            self._picamera.configure(self._configuration())
            self._picamera.start()
        except (RuntimeError, IndexError, OSError) as error:
            raise CameraError(
                "the camera cannot be opened",
                where=self.name,
                got=error,
                fix="rpicam-hello --list-cameras lists them; no other program may use it",
            ) from error
        self._check_raw()
        self._settle()

    def take(self) -> Shot:
        """Wait for the next frame. Raises: ImageError for one that was taken with other settings."""
        shot, metadata = self._capture()
        wrong = _first_wrong(self._wanted, metadata)
        if wrong is not None:
            key, wanted, found = wrong
            raise ImageError(
                f"camera.controls.{key}: the frame was taken with another setting",
                where=self.name,
                expected=wanted,
                got=found,
            )
        return shot

    def release(self) -> None:
        """Stop the camera."""
        if self._picamera is not None:
            self._picamera.close()
            self._picamera = None

    def _configuration(self) -> object:
        width, height = self._camera.width, self._camera.height
        size: dict[str, object] = {} if width is None or height is None else {"size": (width, height)}
        # Named by libcamera for the order in a word: in memory it is blue, green, red.
        main = {"format": "RGB888", **size}
        raw = None if self._camera.raw is None else {"format": _raw_format(self._camera.raw), **size}
        # queue=False: the frame that is next, not the one that waited.
        return self._picamera.create_video_configuration(
            main=main, raw=raw, queue=False, buffer_count=4, controls=_controls(self._wanted)
        )

    def _check_raw(self) -> None:
        """Refuse a sensor format that libcamera chose in place of the demanded one."""
        raw = self._camera.raw
        found = None if raw is None else self._picamera.camera_configuration()["raw"]["format"]
        if raw is not None and found != _raw_format(raw):
            raise CameraError(
                "camera.raw: the camera does not give this format",
                where=self.name,
                expected=_raw_format(raw),
                got=found,
                fix="rpicam-hello --list-cameras shows what the sensor has",
            )

    def _settle(self) -> None:
        for _ in range(_SETTLE_FRAMES - 1):
            if _first_wrong(self._wanted, self._capture()[1]) is None:
                return
        wrong = _first_wrong(self._wanted, self._capture()[1])
        if wrong is not None:
            key, wanted, found = wrong
            raise CameraError(
                f"camera.controls.{key}: the camera did not take it",
                where=self.name,
                expected=wanted,
                got=found,
                fix="Picamera2's camera_controls show what it can",
            )

    def _capture(self) -> tuple[Shot, Mapping[str, Any]]:
        request = self._picamera.capture_request()
        try:
            metadata: Mapping[str, Any] = request.get_metadata()
            if self._developer is None:
                pixels = np.array(request.make_array("main"))
            else:
                # Rows are padded in memory to what the hardware likes.
                width = self._picamera.camera_configuration()["raw"]["size"][0]
                sensor = np.asarray(request.make_array("raw"))
                if self._camera.raw is not None and self._camera.raw.bits > 8:
                    sensor = sensor.view(np.uint16)
                pixels = self._developer.develop(sensor[:, :width], where=self.name)
        finally:
            # Buffers are few: one that is not given back stops the camera.
            request.release()
        return Shot(pixels, _taken_s(metadata)), metadata


_Wanted = dict[str, tuple[str, float | tuple[float, float]]]
"""By key of the profile: libcamera's name of it, and the value in libcamera's unit."""


def _wanted(camera: CameraSection, name: str) -> _Wanted:
    controls = camera.controls
    wanted: _Wanted = {}
    if controls.white_balance_k is not None:
        raise CameraError(
            "camera.controls.white_balance_k: a CSI camera takes gains",
            where=name,
            fix="Set camera.controls.white_balance_gains = [red, blue]",
        )
    if controls.exposure_ms is not None:
        wanted["exposure_ms"] = ("ExposureTime", 1000.0 * controls.exposure_ms)
    if controls.gain is not None:
        wanted["gain"] = ("AnalogueGain", controls.gain)
    if controls.white_balance_gains is not None:
        wanted["white_balance_gains"] = ("ColourGains", controls.white_balance_gains)
    if controls.focus is not None:
        wanted["focus"] = ("LensPosition", controls.focus)
    return wanted


def _controls(wanted: _Wanted) -> dict[str, object]:
    """Return what libcamera is told: automatics off where something is set that they would change."""
    controls: dict[str, object] = dict(wanted.values())
    exposure_us = controls.get("ExposureTime")
    if isinstance(exposure_us, float):
        controls["ExposureTime"] = round(exposure_us)
    if wanted.keys() & {"exposure_ms", "gain"}:
        controls["AeEnable"] = False
    if "white_balance_gains" in wanted:
        controls["AwbEnable"] = False
    if "focus" in wanted:
        controls["AfMode"] = 0  # libcamera's AfModeManual
    return controls


def _first_wrong(wanted: _Wanted, metadata: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """Return the key of the first setting that does not hold, what was expected and what was got."""
    for key, (name, value) in wanted.items():
        found = np.atleast_1d(np.asarray(metadata.get(name, math.nan), np.float64))
        expected = np.atleast_1d(np.asarray(value, np.float64))
        if found.shape != expected.shape or not np.allclose(found, expected, rtol=_TOLERANCE, atol=1e-9):
            return key, _text(expected), _text(found)
    return None


def _text(values: npt.NDArray[np.float64]) -> str:
    return ", ".join(f"{value:g}" for value in values.tolist())


def _raw_format(raw: RawSection) -> str:
    return f"R{raw.bits}" if raw.pattern == "grey" else f"S{raw.pattern}{raw.bits}"


def _taken_s(metadata: Mapping[str, Any]) -> float:
    """Return when the sensor began to read out, on `time.monotonic`'s clock: libcamera counts from boot."""
    stamp = metadata.get("SensorTimestamp")
    if stamp is None:
        return time.monotonic()
    age_s = time.clock_gettime(time.CLOCK_BOOTTIME) - float(stamp) / 1e9
    # A stamp of another clock would make an old frame young: then it counts from now on.
    return time.monotonic() - age_s if 0 <= age_s < 10 else time.monotonic()
