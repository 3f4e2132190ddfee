"""Setting a V4L2 camera, and reading back what it made of it: drivers ignore settings without an error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2

from analyte.contract.errors import CameraError
from analyte.contract.sections.camera import ControlsSection

_MANUAL_EXPOSURE = 1.0
"""V4L2_EXPOSURE_MANUAL of Linux' videodev2.h; 3 is automatic."""
_EXPOSURE_STEP_MS = 0.1
"""V4L2_CID_EXPOSURE_ABSOLUTE counts 100 us."""


class Capture(Protocol):
    """What of `cv2.VideoCapture` is used here."""

    def set(self, prop: int, value: float, /) -> bool:
        """Ask for a value."""
        ...

    def get(self, prop: int, /) -> float:
        """Return the value that holds."""
        ...


@dataclass(frozen=True, slots=True)
class _Control:
    key: str
    prop: int
    automatic: int | None
    """Property of the automatic that has to be off first; None without one."""
    off: float = 0.0
    step: float = 1.0
    """The key's unit per step of the property."""


_CONTROLS = (
    _Control(
        "exposure_ms", cv2.CAP_PROP_EXPOSURE, cv2.CAP_PROP_AUTO_EXPOSURE, _MANUAL_EXPOSURE, _EXPOSURE_STEP_MS
    ),
    _Control("gain", cv2.CAP_PROP_GAIN, None),
    _Control("white_balance_k", cv2.CAP_PROP_WB_TEMPERATURE, cv2.CAP_PROP_AUTO_WB),
    _Control("focus", cv2.CAP_PROP_FOCUS, cv2.CAP_PROP_AUTOFOCUS),
)


def apply_controls(capture: Capture, controls: ControlsSection, *, where: object) -> dict[str, float]:
    """Set what the profile demands, automatics off first.

    Returns: what was read back, by key, in the keys' units. Raises: CameraError where the camera has no such
    setting, leaves its automatic on, or is more than half a step from what was asked for.
    """
    if controls.white_balance_gains is not None:
        raise CameraError(
            "camera.controls.white_balance_gains: a V4L2 camera takes a colour temperature",
            where=where,
            fix="Set camera.controls.white_balance_k, kelvin",
        )
    found: dict[str, float] = {}
    for control in _CONTROLS:
        wanted = getattr(controls, control.key)
        if wanted is None:
            continue
        if control.automatic is not None:
            capture.set(control.automatic, control.off)
            if capture.get(control.automatic) != control.off:
                raise CameraError(
                    f"camera.controls.{control.key}: the camera leaves its automatic on", where=where
                )
        capture.set(control.prop, round(wanted / control.step))
        got = capture.get(control.prop) * control.step
        if not abs(got - wanted) <= 0.5 * control.step + 1e-9:
            raise CameraError(
                f"camera.controls.{control.key}: the camera did not take it",
                where=where,
                expected=f"{wanted:g}",
                got=f"{got:g}",
                fix="v4l2-ctl --list-ctrls shows what it can",
            )
        found[control.key] = got
    return found
