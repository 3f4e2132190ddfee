"""Whether this machine's clock follows a time server: readings carry the time of their capture."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from analyte.runtime.device.finding import Finding, ok, warning

TIMESYNC = Path("/run/systemd/timesync/synchronized")
"""systemd-timesyncd touches it after it set the clock."""
_STA_UNSYNC = 0x0040
_TIME_ERROR = 5
_FIX = "sudo timedatectl set-ntp true"


class _Timex(ctypes.Structure):
    # The head of struct timex, adjtimex(2); the rest is only room.
    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


def kernel_synchronised() -> bool | None:
    """Whether the kernel says that something keeps its clock; None where it cannot be asked.

    chrony, ntpd and systemd-timesyncd all tell it. Reads only (``modes`` is 0).
    """
    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return None
    timex = _Timex()
    state = adjtimex(ctypes.byref(timex))
    if state < 0:
        return None
    return state != _TIME_ERROR and not timex.status & _STA_UNSYNC


def check_clock() -> Finding:
    """Compare. A clock that nobody keeps is a warning: it may have been set by hand, far from any network."""
    kernel = kernel_synchronised()
    if kernel:
        return ok("clock", "synchronised, says the kernel")
    if TIMESYNC.exists():
        return ok("clock", f"synchronised by systemd-timesyncd ({TIMESYNC})")
    if kernel is None:
        system = os.uname().sysname if hasattr(os, "uname") else os.name
        return warning("clock", f"cannot be asked here ({system})", "Look at the system's own settings")
    return warning("clock", "not synchronised: times in readings are only as right as it was set", _FIX)
