"""A GStreamer pipeline, where OpenCV was built with it: Jetson's cameras, for one."""

from __future__ import annotations

import re

import cv2

from analyte.contract.errors import CameraError, UnavailableError
from analyte.contract.sections.camera import CameraSection
from analyte.runtime.sources.driver import Shot
from analyte.runtime.sources.kinds import printable
from analyte.runtime.sources.opencv import open_capture
from analyte.runtime.sources.settings import refuse_settings
from analyte.runtime.sources.stream import take_from

_SINK = " ! videoconvert ! video/x-raw,format=BGR ! appsink drop=true max-buffers=1 sync=false"
"""One frame, the newest, as soon as it is there."""


class GStreamerDriver:
    """Frames of a pipeline, written as for ``gst-launch-1.0``, with or without its sink."""

    def __init__(self, pipeline: str, camera: CameraSection) -> None:
        self.name = printable(f"gst:{pipeline}")
        self._pipeline = pipeline if "appsink" in pipeline else pipeline.rstrip(" !") + _SINK
        self._camera = camera
        self._grey = bool(re.search(r"format\s*=\s*(\(string\))?\s*GRAY", pipeline))
        self._capture: cv2.VideoCapture | None = None

    def open(self) -> None:
        """Start the pipeline.

        Raises: UnavailableError without GStreamer, CameraError when it does not start.
        """
        fix = "Set them in the pipeline, as properties of its source"
        refuse_settings(self._camera, where=self.name, kind="a pipeline", fix=fix)
        if not cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER):
            raise UnavailableError(
                "this OpenCV was built without GStreamer",
                where=self.name,
                got=f"OpenCV {cv2.__version__}",
                fix="The packages of pip have none: install one that has, such as JetPack's or Debian's",
            )
        self._capture = open_capture(self._pipeline, cv2.CAP_GSTREAMER, [])
        if self._capture is None:
            fix = "Try it with gst-launch-1.0, with autovideosink as its end"
            raise CameraError("the pipeline does not start", where=self.name, fix=fix)

    def take(self) -> Shot:
        """Wait for the next frame. Raises: ImageError, CameraError, also for frames that are not BGR.

        From a sink of a person's own OpenCV gives what reaches it: RGBA with its channels in that order,
        YUV and Bayer as if they were grey.
        """
        shot = take_from(self._capture, self.name)
        shape = shot.pixels.shape
        if shape[2:] == (3,) or (shape[2:] in ((), (1,)) and self._grey):
            return shot
        raise CameraError(
            "the pipeline gives frames of another format than BGR",
            where=self.name,
            got=f"{list(shape)}, {shot.pixels.dtype}",
            fix="End it in videoconvert ! video/x-raw,format=BGR ! appsink (or GRAY8), or leave the sink out",
        )

    def release(self) -> None:
        """Stop the pipeline."""
        if self._capture is not None:
            self._capture.release()
