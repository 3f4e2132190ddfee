"""A watched folder: every new picture once, whole, in order."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from analyte.contract.errors import CameraError
from analyte.contract.sections.camera import CameraSection
from analyte.runtime.sources.protocol import BadFrame, Frame, FrameSource
from analyte.runtime.sources.registry import open_source
from runtime.sources.mjpeg_server import encoded


def put(path: Path, level: int) -> None:
    assert cv2.imwrite(str(path), np.full((6, 8, 3), level, np.uint8))


def next_of(source: FrameSource) -> Frame | BadFrame:
    end = time.monotonic() + 10.0
    while time.monotonic() < end:
        if (found := source.read(0.1)) is not None:
            return found
    pytest.fail("no picture came")


def watch(folder: Path, **camera: object) -> FrameSource:
    return open_source(f"watch:{folder}", CameraSection.model_validate(camera))


def test_new_pictures_once_each_in_order_and_not_what_was_there(tmp_path: Path) -> None:
    put(tmp_path / "old.png", 1)
    source = watch(tmp_path)
    assert not source.live
    assert source.read(0.5) is None
    for number in (10, 2):
        put(tmp_path / f"{number}.png", number)
    (tmp_path / "notes.txt").write_text("no picture")
    put(tmp_path / ".hidden.png", 3)
    first, second = next_of(source), next_of(source)
    assert [Path(found.name).name for found in (first, second)] == ["2.png", "10.png"]
    assert [found.index for found in (first, second)] == [0, 1]
    assert source.read(0.5) is None
    source.close()


def test_what_is_there_already_where_it_is_asked_for(tmp_path: Path) -> None:
    put(tmp_path / "old.png", 1)
    assert Path(next_of(watch(tmp_path, existing=True)).name).name == "old.png"


def test_a_picture_that_comes_in_pieces_is_read_when_it_is_whole(tmp_path: Path) -> None:
    source = watch(tmp_path)
    data = encoded(np.full((60, 80, 3), 90, np.uint8))
    with (tmp_path / "slow.jpg").open("wb") as file:
        for piece in range(4):
            file.write(data[piece * len(data) // 4 : (piece + 1) * len(data) // 4])
            file.flush()
            assert source.read(0.15) is None
    assert isinstance(next_of(source), Frame)


def test_written_anew_or_gone_and_come_again_is_new(tmp_path: Path) -> None:
    source = watch(tmp_path)
    put(tmp_path / "a.png", 10)
    assert isinstance(next_of(source), Frame)
    put(tmp_path / "a.png", 99)
    again = next_of(source)
    assert isinstance(again, Frame)
    assert again.pixels[0, 0, 0] == 99
    (tmp_path / "a.png").unlink()
    assert source.read(0.5) is None
    put(tmp_path / "a.png", 55)
    assert isinstance(next_of(source), Frame)


def test_damaged_and_of_another_size_are_bad_frames(tmp_path: Path) -> None:
    source = watch(tmp_path, width=640, height=480)
    (tmp_path / "a.png").write_bytes(b"none")
    put(tmp_path / "b.png", 9)
    damaged, small = next_of(source), next_of(source)
    assert isinstance(damaged, BadFrame)
    assert isinstance(small, BadFrame)
    assert "expected 640x480; got 8x6" in small.error.line()


def test_folder_that_is_not_there_or_goes(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="watched folder cannot be listed"):
        watch(tmp_path / "none")
    folder = tmp_path / "in"
    folder.mkdir()
    source = watch(folder)
    folder.rmdir()
    with pytest.raises(CameraError, match="cannot be listed"):
        source.read(0.1)
