"""The page and its files, and signing in."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import FileResponse, JSONResponse

from analyte.contract.event import Role
from analyte.runtime.serve.context import context_of, person_of
from analyte.runtime.serve.routes.actions import Done
from analyte.runtime.serve.security import COOKIE, Person

router = APIRouter(tags=["page"])
STATIC = Path(__file__).parent.parent / "static"
FILES = {
    "app.css": "text/css",
    "app.js": "text/javascript",
    "charts.js": "text/javascript",
    "login.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}


class Token(BaseModel):
    """What a person signs in with."""

    model_config = ConfigDict(extra="forbid", strict=True)
    token: str = Field(min_length=1, max_length=200)


@router.get("/", include_in_schema=False)
def index() -> FileResponse:
    """Return the page."""
    return FileResponse(STATIC / "index.html", media_type="text/html")


@router.get("/static/{name}", include_in_schema=False)
def static(name: str) -> FileResponse:
    """Return a file of the page."""
    if name not in FILES:
        raise HTTPException(404, "There is no such file.")
    return FileResponse(STATIC / name, media_type=FILES[name], headers={"cache-control": "no-cache"})


class Session(BaseModel):
    """Who is signed in."""

    name: str
    role: Role
    csrf: str
    """What unsafe requests of the page repeat; empty for programs with a token."""
    local: bool
    """Whether nobody has to sign in: whoever is at the machine."""


class SignedIn(BaseModel):
    """Who signed in."""

    name: str
    role: Role


@router.get("/api/v1/session")
def session(request: Request) -> Session:
    """Return who is signed in, and what unsafe requests of the page repeat in ``X-CSRF-Token``."""
    person = person_of(request)
    local = context_of(request).keeper.local() is not None
    return Session(name=person.name, role=person.role, csrf=person.csrf, local=local)


@router.get("/login", include_in_schema=False)
def login_page() -> FileResponse:
    """Return the page for signing in."""
    return FileResponse(STATIC / "login.html", media_type="text/html")


@router.post("/login", responses={200: {"model": SignedIn}})
def login(request: Request, given: Token) -> JSONResponse:
    """Sign in with a token; the session is a cookie that no script can read."""
    context = context_of(request)
    keeper, address = context.keeper, request.client.host if request.client else "?"
    if keeper.tries.full(address):
        raise HTTPException(429, "Too many wrong tokens. Wait a minute.")
    signed = keeper.sign_in(given.token)
    if signed is None:
        keeper.tries.count(address)
        context.note(Person("unknown", Role.VIEWER, ""), "login.failed", address)
        raise HTTPException(401, "The token is wrong or expired.")
    key, person = signed
    context.note(person, "login.succeeded", address)
    answer = JSONResponse({"name": person.name, "role": person.role})
    answer.set_cookie(
        COOKIE,
        key,
        max_age=round(3600 * context.section.session_h),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


@router.post("/logout", responses={200: {"model": Done}})
def logout(request: Request) -> JSONResponse:
    """Sign out."""
    context = context_of(request)
    context.keeper.sign_out(request.cookies.get(COOKIE, ""))
    context.note(person_of(request), "login.ended")
    answer = JSONResponse({"result": "signed out"})
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return answer
