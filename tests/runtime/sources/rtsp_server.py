"""A real RTSP server on the loopback, Debian's gst-rtsp-server, with faults."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).with_name("rtsp_process.py")
_PYTHON = "/usr/bin/python3"
PACKAGES = "gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-base gstreamer1.0-plugins-good"


class Switch:
    """One fault, set and cleared as a `threading.Event` is."""

    def __init__(self, camera: RtspServer, fault: str) -> None:
        self._camera = camera
        self._fault = fault

    def set(self) -> None:
        self._camera.be(self._fault)

    def clear(self) -> None:
        self._camera.be("good")


class RtspServer:
    """A camera that can be told to fail; ``ended`` is a server that is gone until it is cleared."""

    def __init__(self, width: int, height: int, fps: float) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._arguments = [str(width), str(height), str(round(fps))]
        self._process: subprocess.Popen[str] | None = None
        self.frozen, self.still, self.ended = (Switch(self, name) for name in ("frozen", "still", "ended"))
        self.start()

    @property
    def address(self) -> str:
        return f"rtsp://127.0.0.1:{self._port}/camera"

    def start(self) -> None:
        command = [_PYTHON, str(_SCRIPT), str(self._port), *self._arguments]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline().strip() != "ready":
            self.stop()
            raise RuntimeError("the RTSP server did not start")

    def stop(self) -> None:
        if self._process is not None:
            with self._process as process:
                process.kill()
            self._process = None

    def be(self, fault: str) -> None:
        if fault == "ended":
            self.stop()
        elif self._process is None:
            self.start()
        else:
            assert self._process.stdin is not None
            self._process.stdin.write(fault + "\n")
            self._process.stdin.flush()


def has_rtsp_server() -> bool:
    code = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
    try:
        return subprocess.run([_PYTHON, "-c", code], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@contextmanager
def rtsp_camera(width: int = 64, height: int = 48, fps: float = 25.0) -> Iterator[RtspServer]:
    if not has_rtsp_server():
        pytest.skip(f"no RTSP server here: apt install {PACKAGES}")
    server = RtspServer(width, height, fps)
    try:
        yield server
    finally:
        server.stop()
