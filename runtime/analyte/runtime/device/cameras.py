"""The camera that a profile names: there, allowed to this user, able to capture."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import stat
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path

from analyte.contract.arrays import UInt8Array
from analyte.contract.errors import AnalyteError, CameraError, UnavailableError
from analyte.contract.profile import DeviceProfile
from analyte.runtime.device.finding import Finding, missing, ok, refused, warning
from analyte.runtime.sources.kinds import Kind, kind_of, printable
from analyte.runtime.sources.names import display_name
from analyte.runtime.sources.protocol import EndOfSource, Frame, FrameSource

DEVICES = Path("/dev")
_QUERYCAP = 0x80685600
"""VIDIOC_QUERYCAP of linux/videodev2.h: ``_IOR('V', 0, struct v4l2_capability)``, 104 bytes."""
_CAPTURE = 0x00000001 | 0x00001000
"""V4L2_CAP_VIDEO_CAPTURE and its multi-planar kin."""
_HAS_DEVICE_CAPS = 0x80000000
_GROUP = "sudo usermod -aG video $USER, then log in anew"


def check_camera(
    profile: DeviceProfile,
    source: str | None,
    *,
    test: bool,
    on_frame: Callable[[UInt8Array], object] = lambda pixels: None,
) -> Finding:
    """Look for the source of a profile, or for ``source`` in its place.

    A stream is reached only with ``test``, which takes one frame from whatever the source is; ``on_frame``
    gets its pixels, uint8 ``[H, W, 3]``, BGR.
    """
    text = source or profile.camera.source
    if text is None:
        fix = "Set camera.source, or pass --source to the daemon"
        return warning("camera", f"camera.source is not set; cameras here: {_cameras()}", fix)
    found = _look(text)
    return _take_one(profile, text, on_frame) if test and found.status != "missing" else found


def _look(text: str) -> Finding:
    try:
        kind, rest = kind_of(text)
    except CameraError as error:
        return refused("camera", error)
    if kind is Kind.INDEX:
        return _look_at_device(DEVICES / f"video{rest}")
    if kind is Kind.CSI:
        return _look_for_module("picamera2", text, "sudo apt install python3-picamera2 (Raspberry Pi OS)")
    if kind is Kind.GSTREAMER:
        return _look_for_gstreamer(text)
    if kind is Kind.STREAM:
        return ok("camera", f"{printable(text)}, not reached: --source-test takes a frame from it")
    return _look_at_path(Path(rest))


def _look_at_path(path: Path) -> Finding:
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        return missing("camera", f"{display_name(path)}: {said}", "Correct camera.source", CameraError)
    if stat.S_ISCHR(mode):
        return _look_at_device(path)
    if not os.access(path, os.R_OK):
        fix = f"sudo chmod +r {display_name(path)}"
        return missing("camera", f"{display_name(path)} cannot be read by this user", fix, CameraError)
    return ok("camera", f"{display_name(path)}, a {'folder' if stat.S_ISDIR(mode) else 'file'}")


def _look_for_module(name: str, text: str, fix: str) -> Finding:
    if importlib.util.find_spec(name) is None:
        return missing("camera", f"{text} needs {name}, which is not installed", fix, UnavailableError)
    return ok("camera", f"{text}: {name} is installed; --source-test takes a frame")


def _look_for_gstreamer(text: str) -> Finding:
    import cv2

    if not cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER):
        fix = "Install an OpenCV that was built with GStreamer, such as JetPack's or Debian's"
        said = f"{printable(text)}: OpenCV {cv2.__version__} was built without GStreamer"
        return missing("camera", said, fix, UnavailableError)
    return ok("camera", f"{printable(text)}, not started: --source-test takes a frame from it")


def _look_at_device(path: Path) -> Finding:
    if not path.exists():
        fix = "Plug the camera in, and see: v4l2-ctl --list-devices"
        return missing("camera", f"{path} is not there; cameras here: {_cameras()}", fix, CameraError)
    if not os.access(path, os.R_OK | os.W_OK):
        return missing("camera", f"{path} may not be opened by this user", _GROUP, CameraError)
    try:
        able = captures(path)
    except OSError as error:
        fix = f"fuser -v {path} says who holds it"
        return missing("camera", f"{path} does not answer: {error.strerror}", fix, CameraError)
    if able is False:
        fix = f"Name one that captures: {_cameras()} (v4l2-ctl --list-devices)"
        return missing("camera", f"{path} is no camera: it does not capture", fix, CameraError)
    return ok("camera", f"{path} is there and may be opened")


def captures(path: Path) -> bool | None:
    """Whether a device file captures video, by its driver; None where that cannot be asked.

    Raspberry Pi and others have codecs and scalers among /dev/video*. Raises: OSError.
    """
    if sys.platform != "linux":
        return None
    import fcntl

    handle = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        answer = fcntl.ioctl(handle, _QUERYCAP, bytes(104))
    finally:
        os.close(handle)
    # driver[16], card[32], bus_info[32], version, capabilities, device_caps
    everything, of_this_node = struct.unpack_from("=II", answer, 84)
    return bool((of_this_node if everything & _HAS_DEVICE_CAPS else everything) & _CAPTURE)


def _cameras() -> str:
    found = []
    for path in sorted(DEVICES.glob("video*")):
        with contextlib.suppress(OSError):
            if captures(path) is not False:
                found.append(str(path))
    return ", ".join(found) or "none"


def _take_one(profile: DeviceProfile, text: str, on_frame: Callable[[UInt8Array], object]) -> Finding:
    from analyte.runtime.sources.registry import open_source

    start_s = time.monotonic()
    try:
        source = open_source(text, profile.camera)
        try:
            frame = _first_frame(source, start_s + profile.camera.stall_s + 1.0)
        finally:
            source.close()
    except AnalyteError as error:
        return refused("camera", error)
    if frame is None:
        fix = "Look at the source with another program"
        return missing("camera", f"{printable(text)} gave no usable frame", fix, CameraError)
    on_frame(frame.pixels)
    height, width = frame.pixels.shape[:2]
    took_s = time.monotonic() - start_s
    return ok("camera", f"{printable(text)}: a frame of {width}x{height} after {took_s:.2f} s")


def _first_frame(source: FrameSource, until_s: float) -> Frame | None:
    while time.monotonic() < until_s:
        try:
            frame = source.read(0.2)
        except EndOfSource:
            return None
        if isinstance(frame, Frame):
            return frame
    return None
