"""Files that nobody but their owner may read: keys and passwords."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from analyte.contract.errors import InputError

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_LONGEST_BYTES = 16384


def refuse_open_mode(path: Path, mode: int, what: str, advice: str) -> None:
    """Raise InputError where others than its owner may read or change the file.

    ``mode``: as `os.fstat` gives it. ``what``: such as ``private key``. ``advice``: what to do beside chmod.
    """
    if mode & _OTHERS:
        raise InputError(
            f"others than its owner may read or change this {what}, so it is not used",
            where=path,
            expected="mode 0600",
            got=f"{stat.S_IMODE(mode):04o}",
            fix=f"chmod 600 {path}; {advice}",
        )


def read_password(path: Path) -> str:
    """Return the only line of a file, which its owner alone may read.

    Raises: InputError, which never holds what the file holds.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(_LONGEST_BYTES)
    except OSError as error:
        raise InputError("the password cannot be read", where=path, got=error.strerror) from error
    refuse_open_mode(path, mode, "password", "change the password if somebody may have read it")
    try:
        lines = data.decode().splitlines()
    except UnicodeDecodeError:
        lines = []
    if len(lines) != 1 or not lines[0]:
        raise InputError("not the file of a password", where=path, expected="one line of UTF-8")
    return lines[0]
