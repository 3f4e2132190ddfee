"""Health for supervisors and Prometheus: ``/healthz``, ``/readyz``, ``/metrics``."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse, PlainTextResponse

from analyte.runtime.serve.context import context_of
from analyte.runtime.serve.instrument import DeviceStatus

router = APIRouter(tags=["health"])


def obstacles(status: DeviceStatus) -> list[str]:
    """Return why no good reading can be expected now, in plain words."""
    fresh = status.frame_age_s is not None and status.frame_age_s <= status.max_age_s
    said = {
        "No fresh picture from the camera": fresh,
        "The model does not work": status.model_ok,
        "The disk is full or cannot be written": status.disk_ok,
        "The clock is not set": status.clock_ok,
        status.control_detail or "The control is not in date": status.control_ok,
    }
    return [words for words, good in said.items() if not good]


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """Say that the process lives."""
    return {"status": "ok"}


class Readiness(BaseModel):
    """Whether good readings can be expected, and what is in the way."""

    ready: bool
    obstacles: list[str]


@router.get("/readyz", responses={200: {"model": Readiness}, 503: {"model": Readiness}})
def readyz(request: Request) -> JSONResponse:
    """Say whether good readings can be expected: fresh frame, model, disk, clock, control."""
    found = obstacles(context_of(request).instrument.status())
    return JSONResponse({"ready": not found, "obstacles": found}, 503 if found else 200)


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(request: Request) -> PlainTextResponse:
    """Return the figures for Prometheus."""
    context = context_of(request)
    text = context.figures.text(context.instrument.status())
    return PlainTextResponse(text, media_type="text/plain; version=0.0.4; charset=utf-8")
