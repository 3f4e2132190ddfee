"""Texts that are fit to be printed and stored: without credentials."""

from __future__ import annotations

import re

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://|(?:https?|rtsps?):/)(\S*)")
_USER = re.compile(r"""(?<![^\s'"=,(\[/])[^\s/:@'"]+:[^\s/@]+@""")
"""User and password of an address that was mistyped: without its scheme, or with one slash."""


def redact(text: str) -> str:
    """Return ``text`` with everything that may be a credential in a URL replaced by ``***``.

    User and password, the query and the fragment go: cameras take passwords in any of them. A password
    with an unescaped ``/``, ``@``, ``?`` or ``#`` makes more of the URL go, never less.
    """
    return _USER.sub("***@", _URL.sub(_redact_url, text))


def _redact_url(found: re.Match[str]) -> str:
    scheme, rest = found.groups()
    userinfo, at, address = rest.rpartition("@")
    if "?" in userinfo or "#" in userinfo:
        # An @ in a query, or a ? in a password: nothing tells which, so all of it goes.
        return f"{scheme}***"
    place = re.split(r"[?#]", address, maxsplit=1)
    return f"{scheme}{'***@' if at else ''}{place[0]}{'?***' if len(place) > 1 else ''}"
