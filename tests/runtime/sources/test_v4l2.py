"""V4L2 and GStreamer through OpenCV: a stand-in for its video input, for want of a camera."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from analyte.contract.errors import CameraError, ImageError, UnavailableError
from analyte.contract.sections.camera import CameraSection, ControlsSection, RawSection
from analyte.runtime.sources.gstreamer import GStreamerDriver
from analyte.runtime.sources.stream import StreamDriver
from analyte.runtime.sources.v4l2 import V4l2Driver
from runtime.sources.stand_ins import FOURCC, Capture

SINK = " ! videoconvert ! video/x-raw,format=BGR ! appsink drop=true max-buffers=1 sync=false"
GREY = np.full((48, 64), 50, np.uint16)


def stand_in(monkeypatch: pytest.MonkeyPatch, capture: Capture | None) -> list[tuple[object, int]]:
    opened: list[tuple[object, int]] = []

    def open_capture(target: object, backend: int, options: list[int]) -> Capture | None:
        opened.append((target, backend))
        return capture

    monkeypatch.setattr("analyte.runtime.sources.v4l2.open_capture", open_capture)
    monkeypatch.setattr("analyte.runtime.sources.gstreamer.open_capture", open_capture)
    return opened


def test_backend_is_forced_and_settings_are_demanded(monkeypatch: pytest.MonkeyPatch) -> None:
    capture = Capture(np.zeros((48, 64, 3), np.uint8))
    opened = stand_in(monkeypatch, capture)
    driver = V4l2Driver(0, CameraSection(width=64, height=48, controls=ControlsSection(gain=3)))
    driver.open()
    assert opened == [(0, cv2.CAP_V4L2)]
    assert capture.told[cv2.CAP_PROP_GAIN] == 3
    assert capture.told[cv2.CAP_PROP_FRAME_WIDTH] == 64
    assert capture.told[cv2.CAP_PROP_BUFFERSIZE] == 1
    assert driver.take().pixels.shape == (48, 64, 3)
    driver.release()
    assert capture.released


class Forgetful(Capture):
    """Is set up anew for another size, and forgets what it was told."""

    def set(self, prop: int, value: float, /) -> bool:
        if prop in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT):
            self.told = {key: told for key, told in self.told.items() if key == cv2.CAP_PROP_FRAME_WIDTH}
        return super().set(prop, value)


def test_settings_outlast_the_demand_for_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    capture = Forgetful(GREY)
    stand_in(monkeypatch, capture)
    raw = RawSection(pattern="grey", bits=16)
    controls = ControlsSection(exposure_ms=10, gain=3)
    V4l2Driver(0, CameraSection(width=64, height=48, raw=raw, controls=controls)).open()
    assert capture.told[cv2.CAP_PROP_EXPOSURE] == 100
    assert capture.told[cv2.CAP_PROP_GAIN] == 3
    assert capture.told[cv2.CAP_PROP_CONVERT_RGB] == 0
    assert capture.told[cv2.CAP_PROP_FRAME_HEIGHT] == 48


@pytest.mark.parametrize(
    ("raw", "code", "frame"),
    [
        (RawSection(pattern="grey", bits=16), "Y16 ", GREY),
        (RawSection(pattern="grey", bits=10), "Y10 ", GREY),
        (RawSection(pattern="grey", bits=12), "Y12 ", GREY),
        (RawSection(pattern="RGGB", bits=8), "RGGB", GREY.astype(np.uint8)),
        (RawSection(pattern="BGGR", bits=8), "BA81", GREY.astype(np.uint8)),
    ],
)
def test_raw_formats(
    monkeypatch: pytest.MonkeyPatch,
    raw: RawSection,
    code: str,
    frame: np.ndarray[tuple[int, int], np.dtype[np.uint16]],
) -> None:
    capture = Capture(frame)
    stand_in(monkeypatch, capture)
    driver = V4l2Driver("/dev/video0", CameraSection(raw=raw))
    driver.open()
    assert capture.told[FOURCC] == cv2.VideoWriter.fourcc(*code)
    assert capture.told[cv2.CAP_PROP_CONVERT_RGB] == 0
    assert driver.take().pixels.dtype == np.uint8
    assert driver.take().pixels.shape == ((48, 64) if raw.pattern == "grey" else (48, 64, 3))


def test_raw_format_that_the_camera_does_not_take(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, Capture(GREY, stubborn={FOURCC: cv2.VideoWriter.fourcc(*"YUYV")}))
    driver = V4l2Driver(0, CameraSection(raw=RawSection(pattern="grey", bits=16)))
    with pytest.raises(CameraError, match=r"camera 0: .* expected 'Y16 '; got 'YUYV'"):
        driver.open()


def test_raw_format_that_opencv_does_not_take(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, Capture(GREY))
    with pytest.raises(CameraError, match="got RGGB with 10"):
        V4l2Driver(0, CameraSection(raw=RawSection(pattern="RGGB", bits=10))).open()


def test_pictures_in_place_of_raw_frames_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, Capture(np.zeros((48, 64, 3), np.uint8)))
    driver = V4l2Driver(0, CameraSection(raw=RawSection(pattern="grey", bits=16)))
    driver.open()
    with pytest.raises(ImageError, match=r"not a raw frame as camera\.raw says"):
        driver.take()


def test_held_by_another_program(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, None)
    with pytest.raises(CameraError, match="that no other program uses it"):
        V4l2Driver(0, CameraSection()).open()


def test_frame_that_cannot_be_decoded_and_end_of_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    capture = Capture(np.zeros((48, 64, 3), np.uint8))
    capture.undecodable, capture.ends_after = {2}, 3
    stand_in(monkeypatch, capture)
    driver = V4l2Driver(0, CameraSection())
    driver.open()
    driver.take()
    with pytest.raises(ImageError, match="cannot be decoded"):
        driver.take()
    driver.take()
    with pytest.raises(CameraError, match="gives no more frames"):
        driver.take()


class TestGStreamer:
    @pytest.fixture(autouse=True)
    def _has_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(cv2.videoio_registry, "hasBackend", lambda backend: True)

    @pytest.mark.parametrize(
        ("pipeline", "runs"),
        [
            (
                "videotestsrc",
                "videotestsrc" + SINK,
            ),
            (
                "videotestsrc ! ",
                "videotestsrc" + SINK,
            ),
            ("videotestsrc ! appsink", "videotestsrc ! appsink"),
        ],
    )
    def test_pipeline_ends_in_a_sink_that_keeps_the_newest(
        self, monkeypatch: pytest.MonkeyPatch, pipeline: str, runs: str
    ) -> None:
        capture = Capture(np.zeros((48, 64, 3), np.uint8))
        opened = stand_in(monkeypatch, capture)
        driver = GStreamerDriver(pipeline, CameraSection())
        driver.open()
        assert opened == [(runs, cv2.CAP_GSTREAMER)]
        assert driver.take().pixels.shape == (48, 64, 3)
        driver.release()
        assert capture.released

    @pytest.mark.parametrize(
        ("caps", "shape", "good"),
        [
            ("format=RGBA", (48, 64, 4), False),
            ("format=NV12", (72, 64), False),
            ("format=rggb", (48, 64), False),
            ("format=BGR", (48, 64, 3), True),
            ("format=GRAY8", (48, 64), True),
            ("format=(string)GRAY16_LE", (48, 64, 1), True),
        ],
    )
    def test_frames_of_another_format_are_no_pictures(
        self, monkeypatch: pytest.MonkeyPatch, caps: str, shape: tuple[int, ...], good: bool
    ) -> None:
        stand_in(monkeypatch, Capture(np.full(shape, 255, np.uint8)))
        driver = GStreamerDriver(
            f"nvarguscamerasrc ! nvvidconv ! video/x-raw,{caps} ! appsink", CameraSection()
        )
        driver.open()
        if good:
            assert driver.take().pixels.shape == shape
            return
        with pytest.raises(CameraError, match="another format than BGR"):
            driver.take()

    def test_pipeline_that_does_not_start(self, monkeypatch: pytest.MonkeyPatch) -> None:
        stand_in(monkeypatch, None)
        with pytest.raises(CameraError, match="gst:rtspsrc: the pipeline does not start") as caught:
            GStreamerDriver("rtspsrc user-pw=secret", CameraSection()).open()
        assert "secret" not in caught.value.line()

    def test_opencv_without_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(cv2.videoio_registry, "hasBackend", lambda backend: False)
        with pytest.raises(UnavailableError, match="built without GStreamer"):
            GStreamerDriver("videotestsrc", CameraSection()).open()


@pytest.mark.parametrize(
    "demanded",
    [CameraSection(controls=ControlsSection(gain=1)), CameraSection(raw=RawSection(pattern="grey", bits=8))],
)
@pytest.mark.parametrize("driver", [StreamDriver, GStreamerDriver])
def test_settings_of_what_cannot_be_set_are_refused(
    driver: type[StreamDriver] | type[GStreamerDriver], demanded: CameraSection
) -> None:
    with pytest.raises(CameraError, match=r"camera\.(controls|raw): a (stream|pipeline)"):
        driver("http://127.0.0.1:9/", demanded).open()
