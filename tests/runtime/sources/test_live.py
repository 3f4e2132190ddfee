"""A live camera, tried on a real HTTP stream of JPEG pictures."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import numpy as np
import pytest

from analyte.contract.errors import CameraError, ImageError, UnavailableError
from analyte.contract.sections.camera import CameraSection
from analyte.runtime.sources.driver import Shot
from analyte.runtime.sources.live import LiveCamera
from analyte.runtime.sources.protocol import BadFrame, Frame
from analyte.runtime.sources.stream import StreamDriver
from analyte.runtime.sources.v4l2 import V4l2Driver
from runtime.sources.mjpeg_server import mjpeg_camera


def streamed(address: str, camera: CameraSection) -> LiveCamera:
    return LiveCamera(StreamDriver(address, camera), camera)


def next_frame(source: LiveCamera, patience_s: float = 10.0) -> Frame:
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        frame = source.read(0.1)
        if frame is not None:
            assert isinstance(frame, Frame)
            return frame
    pytest.fail(f"no frame within {patience_s} s")


def test_gives_the_newest_frame_only() -> None:
    with mjpeg_camera(fps=50.0) as server:
        source = streamed(f"http://{server.address}/stream", CameraSection())
        try:
            assert source.live
            first = next_frame(source)
            assert first.pixels.shape == (48, 64, 3)
            time.sleep(0.5)
            later = next_frame(source)
            # About 25 frames went by; OpenCV alone would now hand out the second one.
            assert later.index - first.index > 10
            assert time.monotonic() - later.monotonic_s < 0.2
            assert later.captured_at > first.captured_at
            again = next_frame(source)
            assert again.index > later.index
        finally:
            source.close()


def until_lost(source: LiveCamera, patience_s: float = 10.0) -> None:
    """Read on, past frames that were already there, until the source raises."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        source.read(0.1)


def test_stall() -> None:
    with mjpeg_camera() as server:
        source = streamed(f"http://{server.address}/stream", CameraSection(stall_s=0.6))
        try:
            next_frame(source)
            server.frozen.set()
            start = time.monotonic()
            with pytest.raises(CameraError, match=r"stalled; expected a frame within 0\.6 s") as caught:
                until_lost(source)
            assert 0.4 < time.monotonic() - start < 3.0
            assert caught.value.exit_code == 6
        finally:
            source.close()


def test_stream_that_never_gives_a_frame() -> None:
    with mjpeg_camera() as server:
        server.frozen.set()
        source = streamed(f"http://{server.address}/stream", CameraSection(stall_s=0.5))
        try:
            with pytest.raises(CameraError, match="gives no frame"):
                until_lost(source)
        finally:
            server.ended.set()
            source.close()


def test_connection_that_ends() -> None:
    with mjpeg_camera() as server:
        source = streamed(f"http://{server.address}/stream", CameraSection())
        try:
            next_frame(source)
            server.ended.set()
            with pytest.raises(CameraError, match="lost"):
                until_lost(source)
        finally:
            source.close()


def test_size_that_is_not_given_is_refused() -> None:
    with mjpeg_camera(64, 48) as server:
        source = streamed(f"http://{server.address}/stream", CameraSection(width=640, height=480))
        try:
            with pytest.raises(CameraError, match="expected 640x480; got 64x48"):
                next_frame(source)
        finally:
            source.close()


def test_no_such_camera() -> None:
    source = LiveCamera(V4l2Driver(97, CameraSection()), CameraSection())
    with pytest.raises(CameraError, match="camera 97: the camera cannot be opened"):
        next_frame(source)
    source.close()
    source.close()


def test_stream_that_nobody_serves_hides_the_password() -> None:
    source = streamed("http://admin:s3cret@127.0.0.1:9/stream?pwd=s3cret", CameraSection(stall_s=3.0))
    with pytest.raises(CameraError) as caught:
        next_frame(source)
    source.close()
    assert "http://***@127.0.0.1:9/stream?***" in str(caught.value)
    assert "s3cret" not in str(caught.value) + source.name


class Scripted:
    """A driver that gives levels of grey, or raises."""

    name = "scripted"

    def __init__(self, *events: int | Exception) -> None:
        self.events = list(events)
        self.released = 0

    def open(self) -> None:
        pass

    def take(self) -> Shot:
        if not self.events:
            time.sleep(0.01)
            raise ImageError("nothing", where=self.name)
        event = self.events.pop(0)
        if isinstance(event, Exception):
            raise event
        return Shot(np.full((4, 4), event, np.uint8), time.monotonic() - 0.25)

    def release(self) -> None:
        self.released += 1


def test_a_driver_that_raises_whatever_is_one_fault_more() -> None:
    driver = Scripted(ZeroDivisionError("firmware at rtsp://me:secret@host"))
    source = LiveCamera(driver, CameraSection())
    with pytest.raises(CameraError, match="driver failed; got ZeroDivisionError") as caught:
        until_lost(source)
    assert "secret" not in caught.value.line()
    source.close()
    assert driver.released == 1


def test_what_is_not_installed_is_said_and_not_tried_again() -> None:
    source = LiveCamera(Scripted(UnavailableError("no such library")), CameraSection())
    with pytest.raises(UnavailableError, match="no such library"):
        until_lost(source)
    source.close()


def test_the_time_is_that_of_the_sensor() -> None:
    source = LiveCamera(Scripted(*range(100)), CameraSection())
    frame = source.read(5.0)
    assert isinstance(frame, Frame)
    assert time.monotonic() - frame.monotonic_s >= 0.25
    assert (datetime.now(UTC) - frame.captured_at).total_seconds() >= 0.25
    source.close()


def test_a_frame_that_cannot_be_used_is_a_bad_frame_and_the_next_is_good() -> None:
    # Read at once: of a live camera only the newest is kept.
    source = LiveCamera(Scripted(ImageError("torn", where="scripted")), CameraSection())
    bad = source.read(5.0)
    assert isinstance(bad, BadFrame)
    source.close()
