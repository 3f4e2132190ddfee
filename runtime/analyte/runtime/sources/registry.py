"""Opening a source by what its text is."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

from analyte.contract.errors import CameraError
from analyte.contract.sections.camera import CameraSection
from analyte.runtime.sources.driver import Driver
from analyte.runtime.sources.frame_size import SizedSource
from analyte.runtime.sources.kinds import Kind, kind_of
from analyte.runtime.sources.names import display_name
from analyte.runtime.sources.protocol import FrameSource
from analyte.runtime.sources.reopening import ReopeningCamera


def open_source(text: str, camera: CameraSection, *, interval_s: float = 0.0) -> FrameSource:
    """Open what ``camera.source`` may name; `Kind` lists it.

    ``interval_s``: step through a video, in seconds of its own time; 0 gives every frame.
    Raises: CameraError when nothing of the kind is there. A camera opens in the background: what is wrong
    with it shows at the first `FrameSource.read`.
    """
    kind, rest = kind_of(text)
    if kind in DRIVERS:
        return _reopening(DRIVERS[kind], rest, camera)
    path = Path(rest)
    if kind is Kind.WATCH:
        from analyte.runtime.sources.watch import WatchedFolder

        return SizedSource(WatchedFolder(path, camera), camera)
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise CameraError(
            "the source cannot be opened",
            where=display_name(path),
            expected="a camera index, a folder, a picture, a video file, a URL, csi:, gst:, sim: or watch:",
            got=reason,
        ) from error
    if stat.S_ISCHR(mode):
        return _reopening(_v4l2, rest, camera)
    return SizedSource(_files(path, stat.S_ISDIR(mode), interval_s), camera)


def _files(path: Path, is_folder: bool, interval_s: float) -> FrameSource:
    from analyte.contract.imaging import IMAGE_SUFFIXES

    if is_folder or path.suffix.lower() in IMAGE_SUFFIXES:
        from analyte.runtime.sources.folder import FolderSource

        return FolderSource(path)
    from analyte.runtime.sources.video import VideoSource

    return VideoSource(path, interval_s)


MakeDriver = Callable[[str, CameraSection], Driver]


def _reopening(make: MakeDriver, rest: str, camera: CameraSection) -> FrameSource:
    from analyte.runtime.sources.live import LiveCamera

    return ReopeningCamera(lambda demanded, index: LiveCamera(make(rest, demanded), demanded, index), camera)


def _v4l2(rest: str, camera: CameraSection) -> Driver:
    from analyte.runtime.sources.v4l2 import V4l2Driver

    return V4l2Driver(int(rest) if rest.isdigit() else rest, camera)


def _stream(rest: str, camera: CameraSection) -> Driver:
    from analyte.runtime.sources.stream import StreamDriver

    return StreamDriver(rest, camera)


def _gstreamer(rest: str, camera: CameraSection) -> Driver:
    from analyte.runtime.sources.gstreamer import GStreamerDriver

    return GStreamerDriver(rest, camera)


def _picamera(rest: str, camera: CameraSection) -> Driver:
    from analyte.runtime.sources.picamera import PicameraDriver

    return PicameraDriver(int(rest), camera)


def _simulated(rest: str, camera: CameraSection) -> Driver:
    from analyte.runtime.sources.simulated import SimulatedDriver

    return SimulatedDriver(Path(rest), camera)


DRIVERS: dict[Kind, MakeDriver] = {
    Kind.INDEX: _v4l2,
    Kind.STREAM: _stream,
    Kind.GSTREAMER: _gstreamer,
    Kind.CSI: _picamera,
    Kind.SIMULATED: _simulated,
}
"""Live cameras, by kind; a device file is one too, which its path alone does not tell."""
