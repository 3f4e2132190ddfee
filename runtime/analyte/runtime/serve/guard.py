"""What every request passes before a route sees it: nobody unknown, nothing forged, nothing too large."""

from __future__ import annotations

import ipaddress
import json
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from analyte.contract.errors import AnalyteError
from analyte.runtime.serve.context import Context
from analyte.runtime.serve.security import COOKIE, CSRF_HEADER, Person, same

PUBLIC = frozenset({"/healthz", "/login", "/static/app.css", "/static/icon.svg", "/static/login.js"})
"""What is needed to sign in, and whether the process lives."""
SMALL_BYTES = 16384
"""Largest body of a request that uploads no bundle."""
UPLOAD = "/api/v1/bundles"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
    " connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class Guard:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, context: Context) -> None:
        self._app = app
        self._context = context
        self._most_bytes = round(1e6 * context.section.upload_mb)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request or pass it on with its person."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sending = self._with_headers(scope, send)
        try:
            # Tokens take a file and scrypt; who needs none is not sent through a thread for it.
            known = self._context.keeper.local() is not None
            refusal = self._refusal(scope) if known else await run_in_threadpool(self._refusal, scope)
        except AnalyteError as error:
            refusal = (503, error.line())
        if refusal is not None:
            await _answer(sending, scope, *refusal)
            return
        most = self._most_bytes if scope["path"] == UPLOAD else SMALL_BYTES
        if int(Headers(scope=scope).get("content-length", "0")) > most:
            await _answer(sending, scope, 413, f"The body is too large: at most {most} bytes.")
            return
        await self._app(scope, _bounded(receive, most), sending)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Return status and words, or None after the person is known."""
        headers = Headers(scope=scope)
        if not headers.get("content-length", "0").isdecimal():
            return 400, "Content-Length is no number."
        keeper, address = self._context.keeper, str((scope.get("client") or ("?",))[0])
        # Without tokens a foreign name for this machine would lend its rights to any web page.
        if keeper.local() is not None and not _is_loopback(headers.get("host", "")):
            return 403, "Use the address of this machine: localhost."
        if scope["path"] in PUBLIC:
            scope["analyte.person"] = keeper.local()
            return None
        by_token = keeper.local() is None and _token(headers) is not None
        if by_token and keeper.tries.full(address):
            return 429, "Too many wrong tokens. Wait a minute."
        person = self._person(scope)
        if person is None:
            if by_token:
                keeper.tries.count(address)
            return 401, "Sign in, or send a token: it is missing, wrong or expired."
        scope["analyte.still"] = lambda: self._is_still_known(scope)
        return self._limits(scope, headers, person)

    def _person(self, scope: Scope) -> Person | None:
        """Return who asks, by token or session. Raises: InputError, IntegrityError for the file of tokens."""
        keeper = self._context.keeper
        if (local := keeper.local()) is not None:
            return local
        if (token := _token(Headers(scope=scope))) is not None:
            return keeper.of_token(token)
        key = Request(scope).cookies.get(COOKIE, "")
        return keeper.of_session(key) if key else None

    def _is_still_known(self, scope: Scope) -> bool:
        """Whether an answer that goes on may go on: tokens expire and are removed, people sign out."""
        try:
            return self._person(scope) is not None
        except AnalyteError:
            return False

    def _limits(self, scope: Scope, headers: Headers, person: Person) -> tuple[int, str] | None:
        unsafe = scope["method"] not in _SAFE
        if unsafe and person.csrf and not same(headers.get(CSRF_HEADER, ""), person.csrf):
            return 403, "The request does not come from this page. Load it again."
        keeper = self._context.keeper
        if keeper.requests.full(person.name):
            return 429, "Too many requests. Wait a minute."
        keeper.requests.count(person.name)
        scope["analyte.person"] = person
        return None

    def _with_headers(self, scope: Scope, send: Send) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                if not scope["path"].startswith("/static/"):
                    headers.setdefault("cache-control", "no-store")
                if scope["scheme"] == "https":
                    headers["strict-transport-security"] = "max-age=31536000"
            await send(message)

        return sending


def _token(headers: Headers) -> str | None:
    """Return the token that a program sends, or None."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _is_loopback(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _bounded(receive: Receive, most: int) -> Receive:
    """Cut off a body without a length that goes on and on."""
    taken = 0

    async def receiving() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        return {"type": "http.disconnect"} if taken > most else message

    return receiving


async def _answer(send: Send, scope: Scope, status: int, words: str) -> None:
    wants_page = scope["path"] == "/" and status == 401
    if wants_page:
        from analyte.runtime.serve.routes.page import STATIC

        body, kind = (STATIC / "login.html").read_bytes(), b"text/html; charset=utf-8"
    else:
        body, kind = json.dumps({"detail": words}).encode(), b"application/json"
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
