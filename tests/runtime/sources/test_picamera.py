"""A Raspberry Pi's camera: a stand-in for Picamera2, for want of a Pi."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from analyte.contract.errors import CameraError, ImageError, UnavailableError
from analyte.contract.sections.camera import CameraSection, ControlsSection, RawSection
from analyte.runtime.sources.picamera import PicameraDriver
from runtime.sources.stand_ins import picamera2_module

SET = ControlsSection(exposure_ms=8.0, gain=2.0, white_balance_gains=(1.8, 1.5), focus=2.5)


@contextmanager
def opened(
    monkeypatch: pytest.MonkeyPatch, camera: CameraSection, **attributes: object
) -> Iterator[PicameraDriver]:
    monkeypatch.setitem(sys.modules, "picamera2", picamera2_module(**attributes))
    driver = PicameraDriver(0, camera)
    driver.open()
    try:
        yield driver
    finally:
        driver.release()
        driver.release()


def test_waits_until_its_settings_hold_with_automatics_off(monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(monkeypatch, CameraSection(width=64, height=48, controls=SET)) as driver:
        shot = driver.take()
        camera = sys.modules["picamera2"].Picamera2.made[0]
        assert shot.pixels.shape == (48, 64, 3)
        assert camera.frames > 6
        assert camera.configuration["controls"] == {
            "ExposureTime": 8000,
            "AnalogueGain": 2.0,
            "ColourGains": (1.8, 1.5),
            "LensPosition": 2.5,
            "AeEnable": False,
            "AwbEnable": False,
            "AfMode": 0,
        }
        assert camera.configuration["main"] == {"format": "RGB888", "size": (64, 48)}
        assert camera.configuration["queue"] is False
        # The sensor's own time, which lies before that of the call.
        assert 0.04 < time.monotonic() - shot.monotonic_s < 5.0
    assert camera.closed


def test_every_buffer_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(monkeypatch, CameraSection()) as driver:
        for _ in range(20):
            driver.take()


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        (
            {"ExposureTime": 9000},
            "camera.controls.exposure_ms: the camera did not take it; expected 8000; got 9000",
        ),
        ({"AnalogueGain": 1.0}, "camera.controls.gain"),
        (
            {"ColourGains": (1.8, 2.0)},
            "camera.controls.white_balance_gains: the camera did not take it; expected 1.8, 1.5",
        ),
        ({"LensPosition": None}, "camera.controls.focus"),
    ],
)
def test_camera_that_does_otherwise_is_refused(
    monkeypatch: pytest.MonkeyPatch, metadata: dict[str, object], says: str
) -> None:
    with (
        pytest.raises(CameraError) as caught,
        opened(monkeypatch, CameraSection(controls=SET), metadata=metadata),
    ):
        pass
    assert says in caught.value.line()


def test_frame_taken_with_another_setting_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(monkeypatch, CameraSection(controls=SET)) as driver:
        sys.modules["picamera2"].Picamera2.metadata = {"AnalogueGain": 8.0}
        with pytest.raises(
            ImageError, match=r"gain: the frame was taken with another setting; expected 2; got 8"
        ):
            driver.take()
        sys.modules["picamera2"].Picamera2.metadata = {}
        driver.take()


@pytest.mark.parametrize("stamp", [None, 0, 10**18])
def test_stamp_of_another_clock_is_not_believed(monkeypatch: pytest.MonkeyPatch, stamp: int | None) -> None:
    with opened(monkeypatch, CameraSection(), metadata={"SensorTimestamp": stamp}) as driver:
        before = time.monotonic()
        assert driver.take().monotonic_s >= before


def test_raw_without_the_padding_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.full((4, 8), 9999, np.uint16)
    rows[:, :4] = 1023
    camera = CameraSection(raw=RawSection(pattern="BGGR", bits=10))
    with opened(monkeypatch, camera, raw_frame=rows.view(np.uint8)) as driver:
        pixels = driver.take().pixels
        assert pixels.shape == (4, 4, 3)
        assert (pixels == 255).all()
        assert sys.modules["picamera2"].Picamera2.made[0].configuration["raw"] == {"format": "SBGGR10"}


def test_raw_format_in_place_of_the_demanded_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    camera = CameraSection(raw=RawSection(pattern="BGGR", bits=10))
    with (
        pytest.raises(CameraError, match="expected SBGGR10; got BGGR_PISP_COMP1"),
        opened(monkeypatch, camera, raw_format="BGGR_PISP_COMP1"),
    ):
        pass


def test_kelvin_are_for_other_cameras() -> None:
    with pytest.raises(CameraError, match="takes gains"):
        PicameraDriver(0, CameraSection(controls=ControlsSection(white_balance_k=5000)))


def test_no_such_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", picamera2_module())
    with pytest.raises(CameraError, match="csi:7: the camera cannot be opened"):
        PicameraDriver(7, CameraSection()).open()


def test_not_on_a_pi(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    driver = PicameraDriver(0, CameraSection())
    with pytest.raises(UnavailableError, match="Picamera2 is not installed") as caught:
        driver.open()
    assert caught.value.exit_code == 5
    driver.release()
