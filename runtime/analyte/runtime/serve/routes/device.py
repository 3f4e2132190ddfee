"""How the device is: status, picture, controls."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel
from starlette.responses import Response

from analyte.runtime.serve.context import context_of
from analyte.runtime.serve.instrument import DeviceStatus
from analyte.runtime.serve.routes.health import obstacles

router = APIRouter(prefix="/api/v1", tags=["device"])


class JpegResponse(Response):
    """A picture."""

    media_type = "image/jpeg"


class StatusAnswer(BaseModel):
    """How the device is, and what is in the way of good readings."""

    status: DeviceStatus
    obstacles: list[str]


@router.get("/status")
def status(request: Request) -> StatusAnswer:
    """Return how the device is."""
    found = context_of(request).instrument.status()
    return StatusAnswer(status=found, obstacles=obstacles(found))


@router.get("/picture.jpg", response_class=JpegResponse)
def picture(request: Request) -> Response:
    """Return the newest frame with its regions."""
    data = context_of(request).instrument.picture()
    if data is None:
        raise HTTPException(404, "The camera has given no picture yet.")
    return JpegResponse(data)


@router.get("/controls")
def controls(request: Request) -> dict[str, list[dict[str, Any]]]:
    """Return controls, oldest first."""
    return {"controls": context_of(request).instrument.controls()}
