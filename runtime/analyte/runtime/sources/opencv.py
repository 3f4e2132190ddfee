"""OpenCV's video input, kept quiet: what is wrong is raised in words, and its messages hold credentials."""

from __future__ import annotations

import os

# Read by OpenCV when the first video is opened: -8 is FFmpeg's AV_LOG_QUIET.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
# OpenCV's own default, which setting the variable takes away, and: a packet that the container knows to be
# cut short must not become a half-decoded picture.
os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp|fflags;discardcorrupt")

import cv2

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def open_capture(target: int | str, backend: int, options: list[int]) -> cv2.VideoCapture | None:
    """Open a video input; ``options`` are pairs of property and value. None when it cannot be opened."""
    try:
        capture = cv2.VideoCapture(target, backend, options)
    except cv2.error:
        return None
    if not capture.isOpened():
        capture.release()
        return None
    return capture
