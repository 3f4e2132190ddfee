"""Outages: one refusal each, no frame from before, frames again once the camera is back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest

from analyte.contract.errors import CameraError
from analyte.contract.sections.camera import CameraSection
from analyte.runtime.sources.protocol import BadFrame, Frame, FrameSource
from analyte.runtime.sources.registry import open_source
from analyte.runtime.sources.reopening import ReopeningCamera
from runtime.sources.mjpeg_server import mjpeg_camera

Event = Frame | BadFrame | CameraError | None


def frame(index: int, width: int = 8) -> Frame:
    return Frame(np.zeros((6, width, 3), np.uint8), datetime.now(UTC), time.monotonic(), f"c#{index}", index)


class Scripted:
    """A connection that gives what it was told to, and notes what became of it."""

    name = "c"

    def __init__(self, events: list[Event], demanded: CameraSection, first: int) -> None:
        self.events, self.demanded, self.first = events, demanded, first
        self.abandoned = self.closed = False

    def read(self, timeout_s: float) -> Frame | BadFrame | None:
        event = self.events.pop(0) if self.events else None
        if isinstance(event, CameraError):
            raise event
        return event

    def abandon(self) -> None:
        self.abandoned = True

    def close(self) -> None:
        self.closed = True


class Scripts:
    def __init__(self, *scripts: Sequence[Event]) -> None:
        self.scripts = [list(script) for script in scripts]
        self.made: list[Scripted] = []

    def connect(self, demanded: CameraSection, first: int) -> Scripted:
        self.made.append(Scripted(self.scripts.pop(0), demanded, first))
        return self.made[-1]


def lost() -> CameraError:
    return CameraError("the camera is lost", where="c", expected="a frame", got="none")


QUICK = CameraSection(reopen_first_s=0.01, reopen_max_s=0.02, reopen_attempts=3)


def events(camera: ReopeningCamera, count: int) -> list[Frame | BadFrame]:
    """Return the next frames, good and bad."""
    found: list[Frame | BadFrame] = []
    end = time.monotonic() + 10.0
    while len(found) < count and time.monotonic() < end:
        one = camera.read(0.005)
        if one is not None:
            found.append(one)
    return found


def test_an_outage_is_one_refusal_and_then_there_are_frames_again() -> None:
    scripts = Scripts([frame(0), frame(1), lost()], [lost()], [lost()], [frame(2), frame(3)])
    camera = ReopeningCamera(scripts.connect, QUICK)
    found = events(camera, 5)
    assert [type(one) for one in found] == [Frame, Frame, BadFrame, Frame, Frame]
    assert isinstance(found[2], BadFrame)
    assert "the camera is lost; expected a frame; got none" in found[2].error.line()
    assert found[2].outage
    assert [made.abandoned for made in scripts.made] == [True, True, True, False]
    assert [made.first for made in scripts.made] == [0, 2, 2, 2]
    camera.close()
    camera.close()
    assert scripts.made[-1].closed


def test_the_second_outage_is_a_refusal_too_and_counts_anew() -> None:
    scripts = Scripts(
        [frame(0), lost()], [lost()], [lost()], [frame(1), lost()], [lost()], [lost()], [frame(2)]
    )
    camera = ReopeningCamera(scripts.connect, QUICK)
    assert [type(one) for one in events(camera, 5)] == [Frame, BadFrame, Frame, BadFrame, Frame]


def test_too_many_failures_end_it() -> None:
    scripts = Scripts([frame(0), lost()], *[[lost()] for _ in range(9)])
    camera = ReopeningCamera(scripts.connect, QUICK)
    with pytest.raises(CameraError, match="the camera is lost"):
        events(camera, 9)
    assert len(scripts.made) == 1 + QUICK.reopen_attempts


def test_what_is_wrong_from_the_start_is_not_tried_again() -> None:
    scripts = Scripts([lost()], [frame(0)])
    with pytest.raises(CameraError, match="lost"):
        ReopeningCamera(scripts.connect, QUICK).read(0.01)
    assert len(scripts.made) == 1


def test_attempts_come_ever_more_slowly() -> None:
    slow = CameraSection(reopen_first_s=0.05, reopen_max_s=0.1, reopen_attempts=9)
    scripts = Scripts([frame(0), lost()], [lost()], [lost()], [frame(1)])
    camera = ReopeningCamera(scripts.connect, slow)
    events(camera, 2)
    start = time.monotonic()
    events(camera, 1)
    assert time.monotonic() - start >= 0.05 + 0.1 + 0.1 - 0.01


def test_a_later_connection_must_give_the_first_ones_size() -> None:
    scripts = Scripts([frame(0, width=8), lost()], [frame(1)])
    events(ReopeningCamera(scripts.connect, QUICK), 3)
    assert (scripts.made[1].demanded.width, scripts.made[1].demanded.height) == (8, 6)


PATIENT = CameraSection(stall_s=0.5, reopen_first_s=0.05, reopen_max_s=0.2, reopen_attempts=60)


def next_of(camera: FrameSource, *kinds: type) -> Frame | BadFrame:
    """Read on until there is a frame of one of these kinds."""
    end = time.monotonic() + 10.0
    while time.monotonic() < end:
        one = camera.read(0.1)
        if isinstance(one, kinds):
            assert one is not None
            return one
    pytest.fail(f"no {kinds}")


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("ended", "lost"),
        ("frozen", "stalled"),
        ("still", "the same to the last bit"),
        ("garbage", ""),
    ],
)
def test_fault_of_a_real_stream(fault: str, says: str) -> None:
    """A refusal, nothing false while it lasts, and frames again within five seconds of its end."""
    with mjpeg_camera() as server:
        camera = open_source(f"http://{server.address}/", PATIENT)
        try:
            next_of(camera, Frame)
            getattr(server, fault).set()
            bad = next_of(camera, BadFrame)
            assert isinstance(bad, BadFrame)
            assert says in bad.error.line()
            quiet = time.monotonic() + 0.5
            while time.monotonic() < quiet:
                assert not isinstance(camera.read(0.05), Frame)
            getattr(server, fault).clear()
            back_s = time.monotonic()
            good = next_of(camera, Frame)
            assert isinstance(good, Frame)
            assert good.monotonic_s > back_s
            assert time.monotonic() - back_s < 5.0
            assert good.pixels.shape == (48, 64, 3)
        finally:
            camera.close()


def test_camera_that_repeats_its_frames_where_that_is_its_way() -> None:
    with mjpeg_camera() as server:
        server.still.set()
        camera = open_source(f"http://{server.address}/", CameraSection(stall_s=0.5, repeats=True))
        try:
            first, second = next_of(camera, Frame), next_of(camera, Frame)
            assert second.index > first.index
        finally:
            camera.close()
