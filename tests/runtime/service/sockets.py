"""A socket as systemd listens on."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_PATIENCE_S = 30.0


@dataclass
class Listener:
    """What the daemon told."""

    socket: socket.socket

    def next(self, timeout_s: float = _PATIENCE_S) -> list[str]:
        """Return the lines of the next message. Raises: TimeoutError."""
        self.socket.settimeout(timeout_s)
        return self.socket.recv(65536).decode().splitlines()

    def rest(self) -> list[list[str]]:
        """Return the messages of a process that has ended."""
        self.socket.setblocking(False)
        found: list[list[str]] = []
        while True:
            try:
                found.append(self.socket.recv(65536).decode().splitlines())
            except BlockingIOError:
                return found

    def silent_for(self, seconds: float) -> None:
        """Wait until no message has come for so long; fails when they go on and on."""
        for _ in range(20):
            try:
                self.next(seconds)
            except TimeoutError:
                return
        raise AssertionError("they go on")

    def until(self, holds: Callable[[list[str]], bool]) -> list[list[str]]:
        """Return the messages up to the first that ``holds``."""
        found: list[list[str]] = []
        while not found or not holds(found[-1]):
            found.append(self.next())
        return found


@contextmanager
def listening(address: str | bytes) -> Iterator[Listener]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(address)
        yield Listener(made)
