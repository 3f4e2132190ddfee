"""Names of sources that are fit to be printed and stored."""

from __future__ import annotations

import os
import re
from pathlib import Path

_USERINFO = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)\S*@")
_QUERY = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^\s?#]*)[?#]\S*")


def redact(text: str) -> str:
    """Return ``text`` with everything that may be a credential in a URL replaced by ``***``.

    User and password, the query and the fragment go: cameras take passwords in any of them. A password
    with an unescaped ``/`` or ``@`` makes more of the URL go, never less.
    """
    return _QUERY.sub(r"\1?***", _USERINFO.sub(r"\1***@", text))


def display_name(path: Path) -> str:
    """Return a path as text that can always be printed as UTF-8: bytes that are none become U+FFFD."""
    return os.fsencode(path).decode("utf-8", "replace")
