"""What holds for every source, whatever is behind it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from analyte.contract.sections.camera import CameraSection
from analyte.runtime.sources.protocol import EndOfSource, Frame, FrameSource
from analyte.runtime.sources.registry import open_source
from runtime.sources.mjpeg_server import mjpeg_camera
from runtime.sources.rtsp_server import rtsp_camera
from runtime.sources.stand_ins import Capture, picamera2_module

WIDTH, HEIGHT = 64, 48
CAMERA = CameraSection(width=WIDTH, height=HEIGHT, existing=True, stall_s=10.0)


class Setup:
    """What a kind of source needs to be there."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, stack: ExitStack) -> None:
        self.folder = folder
        self.monkeypatch = monkeypatch
        self.stack = stack

    def pictures(self) -> Path:
        for number in range(8):
            picture = np.full((HEIGHT, WIDTH, 3), 20 * number, np.uint8)
            assert cv2.imwrite(str(self.folder / f"{number}.png"), picture)
        return self.folder


def folder(setup: Setup) -> str:
    return str(setup.pictures())


def watched(setup: Setup) -> str:
    return f"watch:{setup.pictures()}"


def simulated(setup: Setup) -> str:
    return f"sim:{setup.pictures()}"


def video(setup: Setup) -> str:
    path = setup.folder / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (WIDTH, HEIGHT))
    for number in range(8):
        writer.write(np.full((HEIGHT, WIDTH, 3), 20 * number, np.uint8))
    writer.release()
    return str(path)


def http(setup: Setup) -> str:
    server = setup.stack.enter_context(mjpeg_camera(WIDTH, HEIGHT))
    return f"http://me:secret@{server.address}/?key=secret"


def rtsp(setup: Setup) -> str:
    server = setup.stack.enter_context(rtsp_camera(WIDTH, HEIGHT))
    return server.address.replace("rtsp://", "rtsp://me:secret@")


def v4l2(setup: Setup) -> str:
    capture = Capture(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    setup.monkeypatch.setattr("analyte.runtime.sources.v4l2.open_capture", lambda *_: capture)
    return "0"


def gstreamer(setup: Setup) -> str:
    capture = Capture(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    setup.monkeypatch.setattr("analyte.runtime.sources.gstreamer.open_capture", lambda *_: capture)
    setup.monkeypatch.setattr(cv2.videoio_registry, "hasBackend", lambda backend: True)
    return "gst:rtspsrc user-pw=secret ! decodebin"


def csi(setup: Setup) -> str:
    setup.monkeypatch.setitem(sys.modules, "picamera2", picamera2_module())
    return "csi:0"


LIVE = (http, rtsp, v4l2, gstreamer, csi, simulated)
FILES = (folder, watched, video)


@pytest.fixture(params=[*LIVE, *FILES], ids=lambda make: make.__name__)
def source(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FrameSource]:
    make: Callable[[Setup], str] = request.param
    with ExitStack() as stack:
        opened = open_source(make(Setup(tmp_path, monkeypatch, stack)), CAMERA)
        # Before the server behind it goes.
        stack.callback(opened.close)
        assert opened.live is (make in LIVE)
        yield opened


def frames(source: FrameSource, count: int) -> list[Frame]:
    found: list[Frame] = []
    end = time.monotonic() + 20.0
    while len(found) < count and time.monotonic() < end:
        frame = source.read(0.2)
        if frame is not None:
            assert isinstance(frame, Frame), frame.error.line()
            found.append(frame)
    assert len(found) == count
    return found


def test_frames_are_what_the_protocol_says(source: FrameSource) -> None:
    before = datetime.now(UTC)
    found = frames(source, 4)
    for frame in found:
        assert frame.pixels.shape == (HEIGHT, WIDTH, 3)
        assert frame.pixels.dtype == np.uint8
        assert frame.pixels.flags.c_contiguous
        assert 0 <= time.monotonic() - frame.monotonic_s < 20.0
        assert frame.captured_at.tzinfo is UTC
        assert abs((frame.captured_at - before).total_seconds()) < 20.0
    indices = [frame.index for frame in found]
    assert indices == sorted(set(indices))
    assert len({frame.name for frame in found}) == 4
    taken = [frame.monotonic_s for frame in found]
    assert taken == sorted(taken)


def test_frames_that_were_given_are_never_written_to_again(source: FrameSource) -> None:
    first, *later = frames(source, 4)
    kept = first.pixels.copy()
    assert any(not np.array_equal(kept, frame.pixels) for frame in later)
    assert np.array_equal(first.pixels, kept)


def test_no_credential_in_any_name(source: FrameSource) -> None:
    assert "secret" not in source.name + frames(source, 1)[0].name


def test_comes_to_an_end_or_waits_no_longer_than_asked(source: FrameSource) -> None:
    end = time.monotonic() + 2.0
    ended = ""
    while not ended and time.monotonic() < end:
        start = time.monotonic()
        try:
            source.read(0.05)
        except EndOfSource as said:
            ended = str(said)
        assert time.monotonic() - start < 1.0
    assert not (ended and source.live)
    assert ended[:6] in ("", "end of")


def test_may_be_closed_twice(source: FrameSource) -> None:
    frames(source, 1)
    source.close()
    source.close()
