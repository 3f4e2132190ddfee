"""Frames of refused readings: without loss, within the quota, the oldest going first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analyte.contract.arrays import UInt8Array
from analyte.contract.errors import OutputError
from analyte.contract.imaging import read_image
from analyte.runtime.refused_frames import RefusedFrames


def noise(seed: int) -> UInt8Array:
    return np.random.default_rng(seed).integers(0, 255, (40, 50, 3), np.uint8)


def keep(frames: RefusedFrames, second: int) -> str:
    return frames.keep(noise(second), f"2026-01-02T03:04:{second:02d}.000678+00:00", f"{second:08d}-rest")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_frame_is_kept_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "refused"
    name = keep(RefusedFrames(folder, 10**6), 5)
    assert name == "20260102T030405.000678Z_00000005.png"
    assert np.array_equal(read_image(folder / name), noise(5))
    assert names(folder) == [name]


def test_oldest_make_room(tmp_path: Path) -> None:
    one = (tmp_path / "probe" / keep(RefusedFrames(tmp_path / "probe", 10**6), 0)).stat().st_size
    frames = RefusedFrames(tmp_path / "kept", 3 * one + one // 2)
    kept = [keep(frames, second) for second in range(5)]
    assert names(tmp_path / "kept") == kept[2:]


def test_frames_of_an_earlier_run_count(tmp_path: Path) -> None:
    one = (tmp_path / keep(RefusedFrames(tmp_path, 10**6), 0)).stat().st_size
    (tmp_path / "notes.txt").write_text("mine")
    later = RefusedFrames(tmp_path, 2 * one + one // 2)
    kept = [keep(later, second) for second in (1, 2)]
    assert names(tmp_path) == [*kept, "notes.txt"]


def test_what_a_power_cut_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "20260101T000000Z_abc.part").write_bytes(b"half")
    RefusedFrames(tmp_path, 10**6)
    assert list(tmp_path.iterdir()) == []


def test_frame_larger_than_the_quota(tmp_path: Path) -> None:
    first = keep(RefusedFrames(tmp_path, 10**6), 0)
    with pytest.raises(OutputError, match="refused_frames_mb"):
        keep(RefusedFrames(tmp_path, 100), 1)
    assert names(tmp_path) == [first]


def test_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="file"):
        RefusedFrames(tmp_path / "file", 10**6)
