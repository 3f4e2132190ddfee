"""Opening a source by what its text is."""

from __future__ import annotations

import stat
from pathlib import Path

from analyte.contract.errors import CameraError
from analyte.contract.imaging import IMAGE_SUFFIXES
from analyte.contract.sections.camera import CameraSection
from analyte.runtime.sources.names import display_name
from analyte.runtime.sources.protocol import FrameSource


def open_source(text: str, camera: CameraSection, *, interval_s: float = 0.0) -> FrameSource:
    """Open a camera index, a device file, a stream URL, a folder of pictures, a picture or a video file.

    ``interval_s``: step through a video, in seconds of its own time; 0 gives every frame.
    Raises: CameraError when nothing of the kind is there. A camera opens in the background: what is wrong
    with it shows at the first `FrameSource.read`.
    """
    if text.isascii() and text.isdigit():
        return _open_camera(int(text), camera)
    if "://" in text:
        return _open_camera(text, camera)
    return _open_path(Path(text), camera, interval_s)


def _open_camera(target: int | str, camera: CameraSection) -> FrameSource:
    from analyte.runtime.sources.camera import CameraSource
    from analyte.runtime.sources.reopening import ReopeningCamera

    return ReopeningCamera(lambda demanded, index: CameraSource(target, demanded, index), camera)


def _open_path(path: Path, camera: CameraSection, interval_s: float) -> FrameSource:
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise CameraError(
            "the source cannot be opened",
            where=display_name(path),
            expected="a camera index, a folder, a picture, a video file or a URL",
            got=reason,
        ) from error
    if stat.S_ISCHR(mode):
        return _open_camera(str(path), camera)
    if stat.S_ISDIR(mode) or path.suffix.lower() in IMAGE_SUFFIXES:
        from analyte.runtime.sources.folder import FolderSource

        return FolderSource(path)
    from analyte.runtime.sources.video import VideoSource

    return VideoSource(path, interval_s)
