"""Names of sources that are fit to be printed and stored."""

from __future__ import annotations

import os
from pathlib import Path

from analyte.contract.redaction import redact


def display_name(path: Path) -> str:
    """Return a path as text that can always be printed as UTF-8: bytes that are none become U+FFFD."""
    return redact(os.fsencode(path).decode("utf-8", "replace"))
