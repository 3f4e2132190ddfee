"""The size that a profile demands, for pictures in files."""

from __future__ import annotations

from analyte.contract.errors import ImageError
from analyte.contract.sections.camera import CameraSection
from analyte.runtime.sources.protocol import BadFrame, Frame, FrameSource


def sized(frame: Frame | BadFrame, camera: CameraSection) -> Frame | BadFrame:
    """Return a frame of a file, a bad one where its size is not the one that a profile demands."""
    if not isinstance(frame, Frame):
        return frame
    height, width = frame.pixels.shape[:2]
    wanted = (camera.width or width, camera.height or height)
    if wanted == (width, height):
        return frame
    error = ImageError(
        "the picture has another size than camera.width and camera.height demand",
        where=frame.name,
        expected=f"{wanted[0]}x{wanted[1]}",
        got=f"{width}x{height}",
    )
    return BadFrame(error, frame.captured_at, frame.monotonic_s, frame.name, frame.index)


class SizedSource:
    """A source of files whose pictures of another size are refused: regions are in pixels."""

    def __init__(self, source: FrameSource, camera: CameraSection) -> None:
        self.name = source.name
        self.live = source.live
        self._source = source
        self._camera = camera

    def read(self, timeout_s: float) -> Frame | BadFrame | None:
        """Return the next frame, a bad one where its size is another. Raises: as the source."""
        frame = self._source.read(timeout_s)
        return frame if frame is None else sized(frame, self._camera)

    def close(self) -> None:
        """Close the source."""
        self._source.close()
