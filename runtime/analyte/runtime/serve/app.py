"""The application: routes, guard and the words of errors."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.responses import JSONResponse

from analyte.contract.errors import (
    AnalyteError,
    InputError,
    IntegrityError,
    OutputError,
    RoleError,
    SettingsError,
    UnavailableError,
)
from analyte.runtime.serve.context import Context
from analyte.runtime.serve.guard import Guard
from analyte.runtime.serve.routes import actions, bundles, calibration, device, health, page, readings

_STATUS: dict[type[AnalyteError], int] = {
    RoleError: 403,
    SettingsError: 409,
    OutputError: 507,
    InputError: 422,
    IntegrityError: 422,
    UnavailableError: 501,
}


class Refusal(BaseModel):
    """Why a request was refused or failed."""

    detail: str


# Spelt out, as a refusal is JSON also where the route gives a picture.
_REFUSAL = {"application/json": {"schema": Refusal.model_json_schema()}}
_SAID: dict[int | str, dict[str, Any]] = {
    code: {"description": text, "content": _REFUSAL}
    for code, text in (
        (400, "Bad request"),
        (401, "Not signed in"),
        (403, "Another role is needed"),
        (404, "Not there"),
        (409, "Not possible now"),
        (413, "Too large"),
        (422, "Not usable"),
        (429, "Too many requests"),
        (500, "Failed"),
        (501, "Not available on this device"),
        (503, "Not ready"),
        (507, "Disk full"),
    )
}


def create_app(context: Context) -> FastAPI:
    """Return the application over a device."""
    app = FastAPI(
        title="analyte device",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        responses=_SAID,
    )
    app.state.context = context
    for group in (health, readings, device, actions, calibration, bundles, page):
        app.include_router(group.router)
    app.add_exception_handler(AnalyteError, _in_words)
    app.add_exception_handler(RequestValidationError, _not_usable)
    app.add_middleware(Guard, context=context)
    return app


def _in_words(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, AnalyteError)
    status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 500)
    return JSONResponse({"detail": error.line()}, status)


def _not_usable(request: Request, error: Exception) -> JSONResponse:
    """Say what was wrong and where, without the value: one that is no JSON, as NaN, could not be answered."""
    assert isinstance(error, RequestValidationError)
    said = [f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}".lstrip(": ") for one in error.errors()]
    return JSONResponse({"detail": "; ".join(said)}, 422)
