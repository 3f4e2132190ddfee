"""An HTTP camera: a multipart stream of JPEG pictures, as cheap network cameras give it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np

from analyte.contract.arrays import UInt8Array


class MjpegServer(ThreadingHTTPServer):
    """Serves grey pictures of growing level, unless one of its faults is set."""

    daemon_threads = True

    def __init__(self, width: int, height: int, fps: float) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.size = (height, width)
        self.period_s = 1.0 / fps
        self.frozen = threading.Event()
        """Set: the connection stays and no frame comes."""
        self.still = threading.Event()
        """Set: the same frame again and again."""
        self.garbage = threading.Event()
        """Set: what comes is no picture."""
        self.ended = threading.Event()
        """Set: the connection is closed."""

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, MjpegServer)
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
        self.end_headers()
        with suppress(BrokenPipeError, ConnectionResetError):
            self._stream(server)

    def _stream(self, server: MjpegServer) -> None:
        level = 0
        while not server.ended.is_set():
            if not server.frozen.is_set():
                picture = np.full((*server.size, 3), 10 + level % 190, np.uint8)
                data = b"\xff\xd8garbage" if server.garbage.is_set() else encoded(picture)
                head = f"--next\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                self.wfile.write(head.encode() + data + b"\r\n")
                level += not server.still.is_set()
            time.sleep(server.period_s)


def encoded(picture: UInt8Array) -> bytes:
    return cv2.imencode(".jpg", picture)[1].tobytes()


@contextmanager
def mjpeg_camera(width: int = 64, height: int = 48, fps: float = 50.0) -> Iterator[MjpegServer]:
    server = MjpegServer(width, height, fps)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
