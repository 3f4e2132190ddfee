"""What the daemon tells the one who started it: the protocol of ``sd_notify(3)``.

Whoever measures feeds the watchdog, and nobody else: a daemon whose measuring hangs must not look alive. So
there is no thread and no timer here.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Mapping

_STATUS_S = 10.0
"""How often the status line is told anew, where no watchdog asks for more."""
_FEEDINGS = 4
"""Within the time of the watchdog."""
_SEND_S = 1.0
"""How long a message may wait for room in the supervisor's queue."""


class Supervisor:
    """Tells systemd, where it listens, and is silent where it does not. For one thread."""

    def __init__(
        self,
        environment: Mapping[str, str],
        describe: Callable[[], str],
        report: Callable[[str], None],
    ) -> None:
        """``environment`` names the socket and the watchdog's time. ``describe`` gives the line that
        ``systemctl status`` shows. ``report`` is told once when the socket cannot be reached.
        """
        self._describe = describe
        self._report = report
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        watchdog_s = _watchdog_s(environment) if self._address is not None else None
        self.watched = watchdog_s is not None
        """Whether the supervisor ends this process when it is not told often enough that it is alive."""
        self._every_s = _STATUS_S if watchdog_s is None else min(_STATUS_S, watchdog_s / _FEEDINGS)
        self._due_s = 0.0
        self._is_ready = False

    def start(self, what: str, longest_s: float) -> None:
        """Tell what is done before the first measurement, and that it may take so many seconds from now."""
        self._tell(f"STATUS=starting: {what}", f"EXTEND_TIMEOUT_USEC={round(longest_s * 1e6)}")

    def ready(self) -> None:
        """Tell, the first time, that it measures."""
        if not self._is_ready:
            self._is_ready = True
            self._tell("READY=1", f"STATUS={self._describe()}")

    def alive(self) -> None:
        """Feed the watchdog, as often as it needs; to be called at each turn of the measuring."""
        if self._address is None or (now_s := time.monotonic()) < self._due_s:
            return
        self._due_s = now_s + self._every_s
        feed = ("WATCHDOG=1",) if self.watched else ()
        status = (f"STATUS={self._describe()}",) if self._is_ready else ()
        self._tell(*feed, *status)

    def stop(self) -> None:
        """Tell that it ends."""
        self._tell("STOPPING=1", "STATUS=stopping")

    def _tell(self, *lines: str) -> None:
        if self._address is None or not lines:
            return
        message = "\n".join(line.replace("\n", " ") for line in lines)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.settimeout(_SEND_S)
                sender.sendto(message.encode(), self._address)
        except OSError as error:
            self._report(f"the supervisor cannot be told: {error.strerror or error} (NOTIFY_SOCKET)")
            self._address = None


def _address(text: str) -> bytes | None:
    """Return a socket's address: a path, or after ``@`` a name in the abstract namespace."""
    if len(text) < 2 or text[0] not in "/@":
        return None
    address = os.fsencode(text)
    return b"\0" + address[1:] if text[0] == "@" else address


def _watchdog_s(environment: Mapping[str, str]) -> float | None:
    """Return the time within which the watchdog is to be fed, seconds; None where it is not ours."""
    with contextlib.suppress(ValueError):
        for_whom = environment.get("WATCHDOG_PID")
        if for_whom is None or int(for_whom) == os.getpid():
            time_us = int(environment.get("WATCHDOG_USEC", "0"))
            return time_us / 1e6 if time_us > 0 else None
    return None


def nobody() -> Supervisor:
    """Return one that tells nobody."""
    return Supervisor({}, str, lambda text: None)
