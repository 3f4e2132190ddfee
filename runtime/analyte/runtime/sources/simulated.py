"""A camera that is none: pictures of a folder or a video in turns, for ever, with a sensor's noise."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np

from analyte.contract.arrays import UInt8Array
from analyte.contract.errors import CameraError, InputError
from analyte.contract.imaging import read_image, to_bgr8
from analyte.contract.sections.camera import CameraSection
from analyte.runtime.sources.driver import Shot
from analyte.runtime.sources.folder import image_files
from analyte.runtime.sources.names import display_name
from analyte.runtime.sources.opencv import open_capture
from analyte.runtime.sources.settings import refuse_settings

_NOISE = 0.7
"""Standard deviation, levels of 255: about what a webcam's sensor has in mid-grey."""
_NOISES = 16
"""Pictures of noise that are made once and taken in turns: made anew for each frame it costs a core."""


class SimulatedDriver:
    """Live frames of what was photographed before, at the pace of a camera."""

    def __init__(self, path: Path, camera: CameraSection) -> None:
        self.name = f"sim:{display_name(path)}"
        self._path = path
        self._camera = camera
        self._pictures: list[UInt8Array] = []
        self._noise: list[np.ndarray[tuple[int, ...], np.dtype[np.int8]]] = []
        self._due_s = 0.0
        self._taken = 0

    def open(self) -> None:
        """Read all pictures. Raises: CameraError when there are none, or they differ in size."""
        refuse_settings(self._camera, where=self.name, kind="a simulated camera", fix="Take them out")
        self._pictures = _pictures_of(self._path, self.name)
        sizes = {picture.shape for picture in self._pictures}
        if len(sizes) != 1:
            got = ", ".join(sorted(f"{width}x{height}" for height, width, _ in sizes)) or "no picture"
            raise CameraError("pictures of one size are needed", where=self.name, got=got)
        random = np.random.default_rng(0)
        shape = self._pictures[0].shape
        self._noise = [np.round(random.normal(0.0, _NOISE, shape)).astype(np.int8) for _ in range(_NOISES)]
        self._due_s = time.monotonic()

    def take(self) -> Shot:
        """Wait until the next frame is due; raises nothing."""
        simulation = self._camera.simulated
        time.sleep(max(0.0, self._due_s - time.monotonic()))
        self._due_s = max(self._due_s + 1.0 / simulation.fps, time.monotonic())
        each = max(1, round(simulation.picture_s * simulation.fps))
        picture = self._pictures[self._taken // each % len(self._pictures)]
        noise = self._noise[self._taken % _NOISES]
        self._taken += 1
        return Shot(cv2.add(picture, noise, dtype=cv2.CV_8U), time.monotonic())

    def release(self) -> None:
        """Forget the pictures."""
        self._pictures = []


def _pictures_of(path: Path, name: str) -> list[UInt8Array]:
    if path.is_dir():
        try:
            return [read_image(file) for file in image_files(path)]
        except InputError as error:
            raise CameraError(error.what, where=error.where, got=error.got) from error
    if not path.exists():
        raise CameraError("there is no such folder or video", where=name, expected="sim:FOLDER or sim:VIDEO")
    capture = open_capture(str(path), cv2.CAP_ANY, []) if path.is_file() else None
    if capture is None:
        raise CameraError("not a folder of pictures, nor a video that OpenCV can read", where=name)
    pictures = []
    while capture.grab():
        done, pixels = capture.retrieve()
        if done:
            pictures.append(to_bgr8(np.asarray(pixels), where=name))
    capture.release()
    return pictures
