"""Lines of the log with their priority, where systemd's journal takes them.

A line that begins with ``<N>`` has the priority N of ``syslog(3)`` there; a person at a terminal, or a file,
gets the line alone. See ``sd-daemon(3)`` and ``JOURNAL_STREAM`` in ``systemd.exec(5)``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from enum import IntEnum


class Priority(IntEnum):
    """As in ``syslog(3)``."""

    ERROR = 3
    """It ends, and a person or the supervisor has to do something."""
    WARNING = 4
    """It goes on, but not as the profile says it should."""
    NOTICE = 5
    """As it should be, and worth knowing."""


def goes_to_journal(descriptor: int, environment: Mapping[str, str]) -> bool:
    """Whether the journal reads what is written to an open file."""
    device, _, inode = environment.get("JOURNAL_STREAM", "").partition(":")
    if not (device.isascii() and device.isdigit() and inode.isascii() and inode.isdigit()):
        return False
    try:
        found = os.fstat(descriptor)
    except OSError:
        return False
    return (found.st_dev, found.st_ino) == (int(device), int(inode))


def log_line(text: str, priority: Priority, *, journal: bool) -> str:
    """Return one line of the log, whatever ``text`` holds."""
    line = " ".join(text.split("\n"))
    return f"<{priority:d}>{line}" if journal else line
