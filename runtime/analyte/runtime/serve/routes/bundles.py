"""Bundles: what runs, a new one, the one before."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from analyte.contract.errors import AnalyteError
from analyte.runtime.serve.context import context_of
from analyte.runtime.serve.routes.actions import Done, Supervisor, Why

router = APIRouter(prefix="/api/v1", tags=["bundles"])
FileName = Annotated[str, Query(min_length=1, max_length=255)]


@router.get("/bundles")
def bundles(request: Request) -> dict[str, str]:
    """Return the bundle in use."""
    status = context_of(request).instrument.status()
    return {"active": status.bundle, "artifact": status.artifact}


@router.post(
    "/bundles",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def upload(request: Request, person: Supervisor, name: FileName = "bundle.zip") -> Done:
    """Take a packed bundle as the body; it is verified, and its signature where the profile demands one.

    ``name``: what the person's file is called, for messages and the audit trail.
    """
    context = context_of(request)
    number, temporary = tempfile.mkstemp(suffix=".analyte.zip")
    path = Path(temporary)

    def do() -> str:
        try:
            return context.instrument.upload_bundle(path, person.name, person.role)
        except AnalyteError as error:
            raise error.named(path, name) from error

    try:
        with os.fdopen(number, "wb") as file:
            async for piece in request.stream():
                file.write(piece)
        result = await run_in_threadpool(context.act, person, "bundle.upload_asked", do)
    except ClientDisconnect as error:
        raise HTTPException(413, "The body is too large or was cut off.") from error
    finally:
        path.unlink(missing_ok=True)
    return Done(result=result)


@router.post("/bundles/promote")
def promote(request: Request, person: Supervisor, given: Why) -> Done:
    """Have the bundle that is tried measure from now on."""
    context = context_of(request)

    def do() -> str:
        return context.instrument.promote(person.name, person.role, given.why)

    return Done(result=context.act(person, "bundle.promotion_asked", do, given.why))


@router.post("/bundles/rollback")
def roll_back(request: Request, person: Supervisor, given: Why) -> Done:
    """Go back to the bundle before."""
    context = context_of(request)

    def do() -> str:
        return context.instrument.roll_back(person.name, person.role, given.why)

    return Done(result=context.act(person, "bundle.roll_back_asked", do, given.why))
