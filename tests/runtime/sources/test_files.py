"""Folders, pictures and videos as sources, opened by what their text is."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from analyte.contract.errors import CameraError
from analyte.contract.sections.camera import CameraSection
from analyte.runtime.sources.protocol import BadFrame, EndOfSource, Frame, FrameSource
from analyte.runtime.sources.registry import open_source
from runtime.tiny_bundles import write_picture, write_video


def open_text(text: Path | str, interval_s: float = 0.0) -> FrameSource:
    return open_source(str(text), CameraSection(), interval_s=interval_s)


def read_all(source: FrameSource) -> tuple[list[Frame | BadFrame], str]:
    frames: list[Frame | BadFrame] = []
    try:
        while True:
            frame = source.read(0.1)
            assert frame is not None
            frames.append(frame)
    except EndOfSource as end:
        return frames, str(end)
    finally:
        source.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "frames"
    root.mkdir()
    for name in ("10.png", "9.png", "1.jpg"):
        write_picture(root / name, (1, 2, 3))
    (root / "2.png").write_bytes(b"damaged")
    (root / "notes.txt").write_text("not a picture")
    (root / "._9.png").write_bytes(b"left by another system")
    (root / "sub.png").mkdir()
    return root


def test_folder_in_natural_order_with_a_bad_picture(folder: Path) -> None:
    before = datetime.now(UTC)
    source = open_text(folder)
    assert not source.live
    frames, end = read_all(source)
    assert [Path(f.name).name for f in frames] == ["1.jpg", "2.png", "9.png", "10.png"]
    assert [f.index for f in frames] == [0, 1, 2, 3]
    assert [type(f) for f in frames] == [Frame, BadFrame, Frame, Frame]
    assert end == f"end of folder {folder}"
    assert all(before <= f.captured_at <= datetime.now(UTC) for f in frames)
    assert all(f.monotonic_s <= time.monotonic() for f in frames)


def test_one_picture(folder: Path) -> None:
    frames, end = read_all(open_text(folder / "9.png"))
    assert [type(f) for f in frames] == [Frame]
    assert frames[0].name in end


def test_source_that_was_closed_is_at_its_end(folder: Path) -> None:
    source = open_text(folder)
    source.close()
    with pytest.raises(EndOfSource):
        source.read(0.1)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("video") / "clip.avi", 70)


def test_every_frame_of_a_video(video: Path) -> None:
    frames, end = read_all(open_text(video))
    assert len(frames) == 70
    assert frames[12].name == f"{video}#12"
    for frame in frames:
        assert isinstance(frame, Frame)
        # JPEG: the level is off by a little.
        assert abs(int(frame.pixels.mean()) - (10 + 2 * frame.index)) <= 2
    assert end == f"end of video {video}"


@pytest.mark.parametrize(("interval_s", "step"), [(0.5, 5), (1.0, 10), (0.05, 1)])
def test_video_stepped_by_its_own_time(video: Path, interval_s: float, step: int) -> None:
    frames, _ = read_all(open_text(video, interval_s))
    assert [frame.index for frame in frames] == list(range(0, 70, step))


def test_interval_that_is_no_whole_number_of_frames_does_not_drift(video: Path) -> None:
    frames, _ = read_all(open_text(video, 0.25))
    # Due at 0, 0.25, 0.5, … of frames at 0, 0.1, 0.2, …: always the first frame that is not earlier.
    assert [frame.index for frame in frames][:9] == [0, 3, 5, 8, 10, 13, 15, 18, 20]


def test_video_that_is_cut_short(video: Path, tmp_path: Path) -> None:
    data = video.read_bytes()
    cut = tmp_path / "cut.avi"
    cut.write_bytes(data[: len(data) // 2])
    with pytest.raises(CameraError, match=r"ends early.*expected 7\.0 s"):
        read_all(open_text(cut))


@pytest.mark.parametrize("text", ["gone.avi", "gone", "/dev/none/0", "a\0b", ""])
def test_what_is_not_there(text: str, tmp_path: Path) -> None:
    with pytest.raises(CameraError) as caught:
        open_text(text or str(tmp_path / "x"))
    assert caught.value.exit_code == 6


def test_what_is_no_video(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_text("not a video")
    with pytest.raises(CameraError, match="not a video"):
        open_text(tmp_path / "clip.mp4")


def test_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="no pictures in the folder"):
        open_text(tmp_path)


def test_a_folder_that_nobody_may_list_is_no_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", denied)
    with pytest.raises(CameraError, match=r"the folder cannot be listed; got Permission denied"):
        open_text(tmp_path)
