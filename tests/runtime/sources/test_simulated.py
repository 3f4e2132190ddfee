"""A simulated camera: pictures in turns, each frame new, and refusals of what it cannot play."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from analyte.contract.errors import CameraError
from analyte.contract.sections.camera import CameraSection, ControlsSection, SimulatedSection
from analyte.runtime.sources.simulated import SimulatedDriver


def picture(path: Path, level: int, width: int = 16) -> None:
    assert cv2.imwrite(str(path), np.full((12, width, 3), level, np.uint8))


def test_each_picture_for_its_time_then_from_the_beginning(tmp_path: Path) -> None:
    for number, level in enumerate((50, 100, 200)):
        picture(tmp_path / f"{number}.png", level)
    camera = CameraSection(simulated=SimulatedSection(fps=500, picture_s=0.004))
    driver = SimulatedDriver(tmp_path, camera)
    driver.open()
    shots = [driver.take().pixels.astype(float) for _ in range(8)]
    levels = [round(float(np.median(shot)), -1) for shot in shots]
    assert levels == [50, 50, 100, 100, 200, 200, 50, 50]
    assert not np.array_equal(shots[0], shots[1])
    assert np.abs(shots[0] - 50).max() < 6


def test_at_the_pace_of_a_camera(tmp_path: Path) -> None:
    picture(tmp_path / "0.png", 50)
    driver = SimulatedDriver(tmp_path, CameraSection(simulated=SimulatedSection(fps=20)))
    driver.open()
    start = time.monotonic()
    for _ in range(5):
        driver.take()
    assert time.monotonic() - start >= 4 / 20


def test_what_cannot_be_played(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="there is no such folder or video"):
        SimulatedDriver(tmp_path / "none", CameraSection()).open()
    with pytest.raises(CameraError, match="pictures of one size are needed; got no picture"):
        SimulatedDriver(tmp_path, CameraSection()).open()
    picture(tmp_path / "0.png", 50)
    picture(tmp_path / "1.png", 50, width=20)
    with pytest.raises(CameraError, match="got 16x12, 20x12"):
        SimulatedDriver(tmp_path, CameraSection()).open()
    (tmp_path / "1.png").write_bytes(b"none")
    with pytest.raises(CameraError, match="not a readable picture"):
        SimulatedDriver(tmp_path, CameraSection()).open()
    with pytest.raises(CameraError, match="cannot be set"):
        SimulatedDriver(tmp_path, CameraSection(controls=ControlsSection(gain=1))).open()


def test_a_folder_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match=r"there is no such folder or video; expected sim:FOLDER"):
        SimulatedDriver(tmp_path / "gone", CameraSection()).open()
