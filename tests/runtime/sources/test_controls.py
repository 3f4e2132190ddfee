"""Settings of a V4L2 camera: set, read back, refused where the camera does otherwise."""

from __future__ import annotations

import cv2
import pytest

from analyte.contract.errors import CameraError
from analyte.contract.sections.camera import ControlsSection
from analyte.runtime.sources.controls import apply_controls

ALL = ControlsSection(exposure_ms=10.0, gain=4, white_balance_k=4600, focus=30)


class Camera:
    """Keeps what it is told, but for what it is stubborn about."""

    def __init__(self, **stubborn: float) -> None:
        self.stubborn = {getattr(cv2, f"CAP_PROP_{name}"): value for name, value in stubborn.items()}
        self.told: dict[int, float] = {}

    def set(self, prop: int, value: float, /) -> bool:
        self.told[prop] = value
        return True  # as drivers say, whatever they do

    def get(self, prop: int, /) -> float:
        return self.stubborn.get(prop, self.told.get(prop, -1.0))


def test_set_with_automatics_off_and_read_back() -> None:
    camera = Camera()
    found = apply_controls(camera, ALL, where="camera 0")
    assert found == pytest.approx(
        {"exposure_ms": 10.0, "gain": 4.0, "white_balance_k": 4600.0, "focus": 30.0}
    )
    assert camera.told[cv2.CAP_PROP_EXPOSURE] == 100  # steps of 0.1 ms
    assert camera.told[cv2.CAP_PROP_AUTO_EXPOSURE] == 1
    assert (camera.told[cv2.CAP_PROP_AUTO_WB], camera.told[cv2.CAP_PROP_AUTOFOCUS]) == (0, 0)


def test_nothing_is_touched_that_was_not_asked_for() -> None:
    camera = Camera()
    assert apply_controls(camera, ControlsSection(gain=2), where="camera 0") == {"gain": 2.0}
    assert camera.told == {cv2.CAP_PROP_GAIN: 2}


def test_between_two_steps_the_nearest_will_do() -> None:
    assert apply_controls(Camera(), ControlsSection(exposure_ms=10.04), where="c")["exposure_ms"] == 10.0


@pytest.mark.parametrize(
    ("stubborn", "says"),
    [
        (
            {"EXPOSURE": 157.0},
            "camera.controls.exposure_ms: the camera did not take it; expected 10; got 15.7",
        ),
        ({"GAIN": -1.0}, "camera.controls.gain: the camera did not take it"),
        ({"WB_TEMPERATURE": float("nan")}, "camera.controls.white_balance_k"),
        ({"AUTO_EXPOSURE": 3.0}, "camera.controls.exposure_ms: the camera leaves its automatic on"),
        ({"AUTO_WB": 1.0}, "camera.controls.white_balance_k: the camera leaves its automatic on"),
        ({"FOCUS": 0.0}, "camera.controls.focus"),
    ],
)
def test_camera_that_does_otherwise_is_refused(stubborn: dict[str, float], says: str) -> None:
    with pytest.raises(CameraError) as caught:
        apply_controls(Camera(**stubborn), ALL, where="camera 0")
    assert says in caught.value.line()
    assert caught.value.exit_code == 6
