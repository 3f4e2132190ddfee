"""What a profile demands of a camera's settings, for drivers that cannot set them."""

from __future__ import annotations

from analyte.contract.errors import CameraError
from analyte.contract.sections.camera import CameraSection, ControlsSection


def refuse_settings(camera: CameraSection, *, where: object, kind: str, fix: str) -> None:
    """Refuse ``camera.controls`` and ``camera.raw`` for a source that knows neither. Raises: CameraError."""
    if camera.controls != ControlsSection():
        raise CameraError(f"camera.controls: {kind} cannot be set", where=where, fix=fix)
    if camera.raw is not None:
        raise CameraError(f"camera.raw: {kind} gives no raw frames", where=where, fix="Take camera.raw out")
