"""The event stream of a real daemon: over a restart, and with a listener that stops reading."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runtime.serve.live import SHOWN, LiveDevice

MOST_GROWTH_MB = 30.0
"""Of the daemon's memory while a listener stalls: a queue without end grows by more than twice that."""


@pytest.fixture
def fast(tmp_path: Path) -> Iterator[LiveDevice]:
    """A device that makes many readings, and not more than a busy machine's listener can take."""
    made = LiveDevice(
        tmp_path, colours=SHOWN, simulated="fps = 150.0, picture_s = 0.05", interval_s=0.0, tokens=False
    )
    yield made
    made.stop()


def connected(device: LiveDevice, buffer_bytes: int | None = None) -> socket.socket:
    """Ask for the events, and read nothing of the answer."""
    made = socket.socket()
    if buffer_bytes is not None:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
    made.settimeout(60.0)
    made.connect(("127.0.0.1", device.port))
    made.sendall(b"GET /api/v1/events HTTP/1.1\r\nhost: localhost\r\n\r\n")
    return made


class Listener:
    """Reads events as they come, in a thread of its own."""

    def __init__(self, device: LiveDevice) -> None:
        self.ids: list[str] = []
        self._socket = connected(device)
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        with self._socket.makefile("rb") as lines:
            for line in lines:
                if line.startswith(b"id: "):
                    self.ids.append(line[4:].decode().strip())

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()


@contextmanager
def listening(device: LiveDevice) -> Iterator[Listener]:
    listener = Listener(device)
    try:
        yield listener
    finally:
        listener.close()


def memory_mb(pid: int) -> float:
    """Return the resident memory of a process, 10^6 bytes."""
    (line,) = [one for one in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmRSS" in one]
    return int(line.split()[1]) * 1024 / 1e6


def connections(device: LiveDevice) -> int:
    """Return how many connections at its port the daemon holds open."""
    open_inodes = set()
    for link in Path(f"/proc/{device.process.pid}/fd").iterdir():
        try:
            open_inodes.add(str(link.readlink()))
        except OSError:
            continue
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    port, listens = f":{device.port:04X}", "0A"
    mine = [row for row in rows if row[1].endswith(port) and row[3] != listens]
    return sum(f"socket:[{row[9]}]" in open_inodes for row in mine)


def test_a_listener_that_never_reads_is_dropped_and_another_misses_nothing(fast: LiveDevice) -> None:
    with listening(fast) as eager, connected(fast, 4096) as lazy:
        fast.until(lambda: connections(fast) >= 2 and len(eager.ids) > 50, "nobody listens")
        before_mb = memory_mb(fast.process.pid)
        fast.until(lambda: connections(fast) == 1, "the one that reads nothing is still there")
        grown_mb = memory_mb(fast.process.pid) - before_mb
        dropped_at = len(eager.ids)
        fast.until(lambda: len(eager.ids) > dropped_at + 100, "the other one gets nothing more")
        received = 0
        try:
            while piece := lazy.recv(1 << 16):
                received += piece.count(b"\nid: ")
        except ConnectionResetError:
            pass
        got = list(eager.ids)
    stored = [one["id"] for one in fast.rows("readings")]
    first = stored.index(got[0])
    assert got == stored[first : first + len(got)]
    assert received < dropped_at
    assert grown_mb < MOST_GROWTH_MB
    assert json.loads(fast.ask("status"))["status"]["measuring"] is True
