"""Which versions of what are installed, for records."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version


def installed_versions(libraries: Iterable[str]) -> dict[str, str]:
    """Return the versions of Python, analyte and ``libraries``; "not installed" for one under another name.

    Never raises: a record at the end of long work must not lose that work.
    """
    found = {"python": platform.python_version()}
    for name in ("analyte", *libraries):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
